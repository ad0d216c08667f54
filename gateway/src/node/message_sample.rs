//! The messages whose time is measured, from the read to the moment they are settled: a random 1 in 64.
//!
//! The others cost a test of some bits that are there anyway: neither end of theirs is looked up on a clock.
//! The time begins with the [moment](super::moment::EnvMoment) of the burst that a message came in, so what
//! it waits for behind the messages before it counts.
//!
//! A message that waits behind others because its bot is moving to another node is not measured.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use protocol::lane::Verdict;
use router_core::effect::{Receipt, RouterFact};
use router_core::lane::LaneOutcome;

use super::lock::lock;
use crate::metrics::{LatencyMetrics, MessagePath};

/// Entropy bits that are all 0 for a message of the sample: 1 in 64. They are the highest ones, as ids and
/// jitter are made of the lowest.
const SAMPLE_BITS: u32 = 6;
/// Messages of the sample that other nodes have not decided; further ones are not measured.
const UNDECIDED_MAX: usize = 1024;

/// A message of the sample while its session's lock is held.
#[derive(Debug)]
pub(super) struct MessageSample {
    since: Instant,
    /// Whether its sender was answered.
    is_settled: bool,
    /// Whether another node has to decide.
    is_remote: bool,
}

impl MessageSample {
    /// Perhaps measures a message that was read at this time.
    pub(super) fn choose(entropy: u128, since: Instant) -> Option<Self> {
        let is_chosen = entropy >> (u128::BITS - SAMPLE_BITS) == 0;
        is_chosen.then_some(Self {
            since,
            is_settled: false,
            is_remote: false,
        })
    }

    /// Notes what its tenant reports while it handles it.
    pub(super) fn note(&mut self, fact: &RouterFact) {
        self.is_settled |= matches!(
            fact,
            RouterFact::Delivered { .. } | RouterFact::Refused { .. } | RouterFact::Duplicate
        );
    }

    /// Its tenant has handled it.
    pub(super) fn end(self, metrics: &LatencyMetrics) {
        if self.is_settled && !self.is_remote {
            metrics.message(MessagePath::Local, self.since.elapsed());
        }
    }
}

/// The messages of the sample that other nodes have not decided.
#[derive(Debug, Default)]
pub(super) struct UndecidedSamples {
    /// Spares the parcels of all others the lock.
    count: AtomicUsize,
    samples: Mutex<foldhash::HashMap<Receipt, UndecidedSample>>,
}

#[derive(Debug, Clone, Copy)]
struct UndecidedSample {
    since: Instant,
    nodes: usize,
}

impl UndecidedSamples {
    /// The message goes onto a lane.
    pub(super) fn sent(&self, receipt: &Receipt, sample: &mut MessageSample) {
        sample.is_remote = true;
        let mut samples = lock(&self.samples);
        if samples.len() >= UNDECIDED_MAX && !samples.contains_key(receipt) {
            return;
        }
        let new = UndecidedSample {
            since: sample.since,
            nodes: 0,
        };
        samples.entry(receipt.clone()).or_insert(new).nodes += 1;
        self.count.store(samples.len(), Ordering::Relaxed);
    }

    /// No lane took it: it is settled here, unless another node has it.
    pub(super) fn withdrawn(&self, receipt: &Receipt, sample: &mut MessageSample) {
        sample.is_remote = self.one_less(receipt).is_some_and(|left| left.nodes > 0);
    }

    /// The receipt, if it is of a message of the sample.
    pub(super) fn find(&self, receipt: &Receipt) -> Option<Receipt> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let samples = lock(&self.samples);
        samples.get_key_value(receipt).map(|(own, _)| own.clone())
    }

    /// A node has decided, and the tenant knows. One that must go to another node is not measured any more.
    pub(super) fn decided(
        &self,
        receipt: &Receipt,
        outcome: &LaneOutcome,
        metrics: &LatencyMetrics,
    ) {
        let has_moved = matches!(outcome, LaneOutcome::Verdict(Verdict::Moved(_)));
        let left = self.one_less(receipt);
        if let Some(sample) = left.filter(|sample| sample.nodes == 0 && !has_moved) {
            metrics.message(MessagePath::Remote, sample.since.elapsed());
        }
    }

    /// Counts one node less, and forgets the message with the last one.
    fn one_less(&self, receipt: &Receipt) -> Option<UndecidedSample> {
        let mut samples = lock(&self.samples);
        let sample = samples.get_mut(receipt)?;
        sample.nodes -= 1;
        let left = *sample;
        if left.nodes == 0 {
            samples.remove(receipt);
            self.count.store(samples.len(), Ordering::Relaxed);
        }
        Some(left)
    }
}

#[cfg(test)]
mod tests {
    use protocol::{BootId, ErrorCode, TenantId};
    use router_core::{ConnKey, NodeView};

    use super::*;
    use crate::metrics::{Metrics, ScrapeFacts};

    fn receipt(number: u64) -> Receipt {
        Receipt::new(TenantId::parse("alice").unwrap(), number)
    }

    fn sample() -> MessageSample {
        MessageSample::choose(0, Instant::now()).unwrap()
    }

    fn measured(metrics: &Metrics, path: &str) -> usize {
        let nodes = NodeView::alone(BootId::from_bits(1));
        let text = metrics.render(&ScrapeFacts {
            nodes: &nodes,
            lanes: &[],
            redis_connected: None,
        });
        let name = format!("t2b_message_seconds_count{{path=\"{path}\"}} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&name));
        count.unwrap().parse().unwrap()
    }

    #[test]
    fn one_of_64_is_measured() {
        let now = Instant::now();
        let bits = (0..6400u128).map(|number| number << (u128::BITS - SAMPLE_BITS));
        let chosen = bits.filter(|bits| MessageSample::choose(*bits, now).is_some());
        assert_eq!(chosen.count(), 100);
    }

    #[test]
    fn a_message_to_two_nodes_is_measured_when_both_have_decided() {
        let (samples, metrics) = (UndecidedSamples::default(), Metrics::new(Vec::new()));
        let mut sample = sample();
        for _ in 0..2 {
            samples.sent(&receipt(1), &mut sample);
        }
        sample.note(&RouterFact::Duplicate);
        sample.end(&metrics.latency);
        assert_eq!(samples.find(&receipt(2)), None);
        for expected in [0, 1] {
            let own = samples.find(&receipt(1)).unwrap();
            samples.decided(&own, &LaneOutcome::Delivered, &metrics.latency);
            assert_eq!(measured(&metrics, "remote"), expected);
        }
        assert_eq!(samples.find(&receipt(1)), None);
        assert_eq!(measured(&metrics, "local"), 0);
    }

    #[test]
    fn a_message_that_no_lane_takes_is_settled_here() {
        let (samples, metrics) = (UndecidedSamples::default(), Metrics::new(Vec::new()));
        let mut sample = sample();
        samples.sent(&receipt(1), &mut sample);
        samples.withdrawn(&receipt(1), &mut sample);
        sample.note(&RouterFact::Refused {
            conn: ConnKey(1),
            code: ErrorCode::Unreachable,
        });
        sample.end(&metrics.latency);
        assert_eq!(measured(&metrics, "local"), 1);
        assert_eq!(samples.find(&receipt(1)), None);
    }

    #[test]
    fn a_message_that_waits_is_not_measured() {
        let metrics = Metrics::new(Vec::new());
        sample().end(&metrics.latency);
        assert_eq!(measured(&metrics, "local"), 0);
    }

    #[test]
    fn a_message_whose_bot_has_moved_is_not_measured() {
        let (samples, metrics) = (UndecidedSamples::default(), Metrics::new(Vec::new()));
        samples.sent(&receipt(1), &mut sample());
        let moved = LaneOutcome::Verdict(Verdict::Moved(BootId::from_bits(1)));
        samples.decided(&receipt(1), &moved, &metrics.latency);
        assert_eq!(measured(&metrics, "remote"), 0);
        assert_eq!(samples.find(&receipt(1)), None);
    }

    #[test]
    fn more_than_the_bound_are_not_kept() {
        let samples = UndecidedSamples::default();
        let kept = (0..2 * UNDECIDED_MAX as u64).filter(|number| {
            samples.sent(&receipt(*number), &mut sample());
            samples.find(&receipt(*number)).is_some()
        });
        assert_eq!(kept.count(), UNDECIDED_MAX);
    }
}
