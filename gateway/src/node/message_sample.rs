//! The messages whose time is measured, from the read to the moment they are settled: a random 1 in 64.
//!
//! The others cost a test of some bits that are there anyway: neither end of theirs is looked up on a clock.
//! The time begins with the [moment](super::moment::EnvMoment) of the burst that a message came in, so what
//! it waits for behind the messages before it counts.
//!
//! A message that waits behind others because its bot is moving to another node is not measured.

use std::collections::hash_map::Entry;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use protocol::lane::Verdict;
use router_core::effect::{Receipt, RouterFact};
use router_core::lane::LaneOutcome;

use super::lock::lock;
use crate::metrics::{LatencyMetrics, MessagePath};

/// One of so many messages is measured; a power of two.
const SAMPLED_OF: u128 = 64;
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
    /// Perhaps measures a message that was read at this time. `entropy`: bits that nobody else decides by.
    pub(super) fn choose(entropy: u128, since: Instant) -> Option<Self> {
        entropy.is_multiple_of(SAMPLED_OF).then_some(Self {
            since,
            is_settled: false,
            is_remote: false,
        })
    }

    /// Notes what its tenant reports while it handles it.
    pub(super) fn note(&mut self, fact: &RouterFact) {
        self.is_settled |= matches!(
            fact,
            RouterFact::Delivered { .. } | RouterFact::Refused(_) | RouterFact::Duplicate
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

#[derive(Debug)]
struct UndecidedSample {
    since: Instant,
    nodes: usize,
}

/// A message of the sample that one more node has decided.
#[derive(Debug)]
#[must_use]
pub(super) struct DecidedSample {
    /// Absent while another node has not decided.
    since: Option<Instant>,
}

impl UndecidedSamples {
    /// The message goes onto a lane.
    pub(super) fn sent(&self, receipt: &Receipt, sample: &mut MessageSample) {
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
        sample.is_remote = true;
    }

    /// What became of a message on a lane; none: it is not of the sample. One that must go to another node
    /// is not measured any more.
    pub(super) fn decided(
        &self,
        receipt: &Receipt,
        outcome: &LaneOutcome,
    ) -> Option<DecidedSample> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut samples = lock(&self.samples);
        let Entry::Occupied(mut sample) = samples.entry(receipt.clone()) else {
            return None;
        };
        sample.get_mut().nodes -= 1;
        let has_moved = matches!(outcome, LaneOutcome::Verdict(Verdict::Moved(_)));
        let is_last = sample.get().nodes == 0;
        let since = (is_last && !has_moved).then_some(sample.get().since);
        if is_last || has_moved {
            sample.remove();
        }
        self.count.store(samples.len(), Ordering::Relaxed);
        Some(DecidedSample { since })
    }
}

impl DecidedSample {
    /// Its tenant knows.
    pub(super) fn end(self, metrics: &LatencyMetrics) {
        if let Some(since) = self.since {
            metrics.message(MessagePath::Remote, since.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{BootId, TenantId};

    use super::*;

    fn receipt(number: u64) -> Receipt {
        Receipt::new(TenantId::parse("alice").unwrap(), number)
    }

    fn sample() -> MessageSample {
        MessageSample::choose(0, Instant::now()).unwrap()
    }

    #[test]
    fn one_of_64_is_measured() {
        let now = Instant::now();
        let chosen = (0..6400).filter(|bits| MessageSample::choose(*bits, now).is_some());
        assert_eq!(chosen.count(), 100);
    }

    #[test]
    fn a_message_to_two_nodes_is_measured_when_both_have_decided() {
        let samples = UndecidedSamples::default();
        let mut sample = sample();
        samples.sent(&receipt(1), &mut sample);
        samples.sent(&receipt(1), &mut sample);
        assert!(sample.is_remote);
        let outcome = LaneOutcome::Delivered;
        assert!(samples.decided(&receipt(2), &outcome).is_none());
        let first = samples.decided(&receipt(1), &outcome).unwrap();
        assert!(first.since.is_none());
        let second = samples.decided(&receipt(1), &outcome).unwrap();
        assert!(second.since.is_some());
        assert!(samples.decided(&receipt(1), &outcome).is_none());
    }

    #[test]
    fn a_message_whose_bot_has_moved_is_not_measured() {
        let samples = UndecidedSamples::default();
        samples.sent(&receipt(1), &mut sample());
        let moved = LaneOutcome::Verdict(Verdict::Moved(BootId::from_bits(1)));
        assert!(
            samples
                .decided(&receipt(1), &moved)
                .unwrap()
                .since
                .is_none()
        );
        assert!(
            samples
                .decided(&receipt(1), &LaneOutcome::Delivered)
                .is_none()
        );
    }

    #[test]
    fn more_than_the_bound_are_not_kept() {
        let samples = UndecidedSamples::default();
        let kept = (0..2 * UNDECIDED_MAX as u64).filter(|number| {
            let mut sample = sample();
            samples.sent(&receipt(*number), &mut sample);
            sample.is_remote
        });
        assert_eq!(kept.count(), UNDECIDED_MAX);
    }
}
