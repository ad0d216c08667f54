//! The counts and histograms of a thread, and their sums.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::check::{AbsentCounts, WrongDelivery};

/// Longest latency that is told apart, ns; more counts as this.
const LONGEST_NS: u64 = 300_000_000_000;
/// Below this all latencies are alike, ns.
const SHORTEST_NS: u64 = 100;
/// Examples of what went wrong that are kept.
const EXAMPLES_MAX: usize = 5;
/// Longest example, bytes.
const EXAMPLE_BYTES_MAX: usize = 300;
/// Most different keys of a table of counts: names come from the gateway.
const KEYS_MAX: usize = 100;

/// Latencies in nanoseconds, to three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(SHORTEST_NS, LONGEST_NS, 3).expect("bounds in order, three digits")
}

/// The same to two digits, for one second.
pub(crate) fn small_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(SHORTEST_NS, LONGEST_NS, 2).expect("bounds in order, two digits")
}

/// How often each of some names occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameCounts(BTreeMap<String, u64>);

impl NameCounts {
    /// Once more. Beyond a hundred names, the rest is `other`.
    pub fn add(&mut self, name: &str) {
        self.add_many(name, 1);
    }

    /// So many times more.
    pub(crate) fn add_many(&mut self, name: &str, times: u64) {
        if let Some(count) = self.0.get_mut(name) {
            *count += times;
            return;
        }
        let full = self.0.len() >= KEYS_MAX;
        let name = if full { "other" } else { name };
        *self.0.entry(name.to_owned()).or_default() += times;
    }

    /// By name.
    pub(crate) fn into_map(self) -> BTreeMap<String, u64> {
        self.0
    }

    fn merge(&mut self, other: Self) {
        for (name, count) in other.0 {
            self.add_many(&name, count);
        }
    }
}

/// What went wrong, how often, and what it looked like.
#[derive(Debug, Clone, Default)]
pub struct WrongCounts {
    found: BTreeMap<WrongDelivery, (u64, Vec<String>)>,
}

impl WrongCounts {
    /// One more.
    pub fn add(&mut self, wrong: WrongDelivery, example: impl FnOnce() -> String) {
        self.add_many(wrong, 1, example);
    }

    /// So many more, all of them with one example.
    pub(crate) fn add_many(
        &mut self,
        wrong: WrongDelivery,
        times: u64,
        example: impl FnOnce() -> String,
    ) {
        let (count, examples) = self.found.entry(wrong).or_default();
        *count += times;
        if examples.len() < EXAMPLES_MAX {
            let text: String = example().chars().take(EXAMPLE_BYTES_MAX).collect();
            examples.push(text);
        }
    }

    /// By kind: how often, and examples.
    pub(crate) fn into_map(self) -> BTreeMap<WrongDelivery, (u64, Vec<String>)> {
        self.found
    }

    fn merge(&mut self, other: Self) {
        for (wrong, (count, examples)) in other.found {
            let (sum, kept) = self.found.entry(wrong).or_default();
            *sum += count;
            let free = EXAMPLES_MAX - kept.len();
            kept.extend(examples.into_iter().take(free));
        }
    }
}

/// Frames of one kind within the measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Due and sent.
    pub sent: u64,
    /// Arrived; once for each receiver.
    pub delivered: u64,
}

impl FrameCounts {
    fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.delivered += other.delivered;
    }
}

/// What one thread has counted.
#[derive(Debug, Clone)]
pub struct ThreadTally {
    /// `message`s.
    pub messages: FrameCounts,
    /// `message_partial`s.
    pub partials: FrameCounts,
    /// `typing` frames.
    pub typing: FrameCounts,
    /// From when a question was due to its answer.
    pub round_trip: Histogram<u64>,
    /// From when a message was due to its delivery.
    pub one_way: Histogram<u64>,
    /// From when a message was due to its ack.
    pub ack: Histogram<u64>,
    /// From dialling to `auth_ok`, before the measurement.
    pub connect_setup: Histogram<u64>,
    /// The same within it.
    pub connect: Histogram<u64>,
    /// From `register_bot` to `bot_registered`.
    pub register: Histogram<u64>,
    /// From the start of a visit to its last answer.
    pub visit: Histogram<u64>,
    /// From the storm to the first answer after it.
    pub back: Histogram<u64>,
    /// Pairs that the storm took and that did not come back.
    pub not_back: u64,
    /// What must never happen.
    pub wrongs: WrongCounts,
    /// Refusals by reason.
    pub errors: NameCounts,
    /// Refusals that the scenario asks for.
    pub expected: NameCounts,
    /// Connections that ended, by code, `lost` or what was wrong.
    pub closes: NameCounts,
    /// Connections that could not be opened, by kind.
    pub connect_failures: NameCounts,
    /// Messages that were due and not sent, by reason.
    pub unsent: NameCounts,
    /// Messages that did not come.
    pub absent: AbsentCounts,
    /// Share of a core that the thread had within the measurement.
    pub busy: f64,
}

impl Default for ThreadTally {
    fn default() -> Self {
        Self {
            messages: FrameCounts::default(),
            partials: FrameCounts::default(),
            typing: FrameCounts::default(),
            round_trip: histogram(),
            one_way: histogram(),
            ack: histogram(),
            connect_setup: histogram(),
            connect: histogram(),
            register: histogram(),
            visit: histogram(),
            back: histogram(),
            not_back: 0,
            wrongs: WrongCounts::default(),
            errors: NameCounts::default(),
            expected: NameCounts::default(),
            closes: NameCounts::default(),
            connect_failures: NameCounts::default(),
            unsent: NameCounts::default(),
            absent: AbsentCounts::default(),
            busy: 0.0,
        }
    }
}

impl ThreadTally {
    /// Adds what another thread counted; `busy` becomes the highest.
    pub fn merge(&mut self, other: Self) {
        self.messages.merge(other.messages);
        self.partials.merge(other.partials);
        self.typing.merge(other.typing);
        for (into, from) in [
            (&mut self.round_trip, other.round_trip),
            (&mut self.one_way, other.one_way),
            (&mut self.ack, other.ack),
            (&mut self.connect_setup, other.connect_setup),
            (&mut self.connect, other.connect),
            (&mut self.register, other.register),
            (&mut self.visit, other.visit),
            (&mut self.back, other.back),
        ] {
            into.add(from).expect("all have the same bounds");
        }
        self.not_back += other.not_back;
        self.wrongs.merge(other.wrongs);
        self.errors.merge(other.errors);
        self.expected.merge(other.expected);
        self.closes.merge(other.closes);
        self.connect_failures.merge(other.connect_failures);
        self.unsent.merge(other.unsent);
        self.absent.lost += other.absent.lost;
        self.absent.cut += other.absent.cut;
        self.busy = self.busy.max(other.busy);
    }
}

/// What happened within one second of the run.
#[derive(Debug, Clone)]
pub struct SecondTally {
    /// Which, from the start of the warm-up.
    pub index: u64,
    /// Frames of all kinds that arrived.
    pub delivered: u64,
    /// Refusals.
    pub errors: u64,
    /// Sockets that are ready, at its end.
    pub connected: u64,
    /// Latencies: of round trips, or one way where nothing is answered.
    pub latency: Histogram<u64>,
    /// CPU time of the thread, ns.
    pub cpu_ns: u64,
}

impl SecondTally {
    /// An empty one.
    pub fn new(index: u64) -> Self {
        Self {
            index,
            delivered: 0,
            errors: 0,
            connected: 0,
            latency: small_histogram(),
            cpu_ns: 0,
        }
    }

    /// Adds what another thread saw in the same second.
    pub fn merge(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.errors += other.errors;
        self.connected += other.connected;
        self.cpu_ns += other.cpu_ns;
        self.latency
            .add(&other.latency)
            .expect("all have the same bounds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_percentiles_are_those_of_all_values() {
        let (mut fast, mut slow) = (ThreadTally::default(), ThreadTally::default());
        for value in 1..=1000 {
            let into = if value % 2 == 0 { &mut fast } else { &mut slow };
            into.round_trip.saturating_record(value * 1_000_000);
        }
        fast.merge(slow);
        assert_eq!(fast.round_trip.len(), 1000);
        for (quantile, ms) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = fast.round_trip.value_at_quantile(quantile) as f64 / 1e6;
            assert!((found / ms - 1.0).abs() < 0.002, "{quantile}: {found}");
        }
    }

    #[test]
    fn longer_than_the_longest_counts_as_the_longest() {
        let mut it = histogram();
        it.saturating_record(u64::MAX);
        assert!(it.max() >= LONGEST_NS);
    }

    #[test]
    fn names_are_bounded() {
        let mut counts = NameCounts::default();
        (0..200).for_each(|n| counts.add(&format!("reason {n}")));
        let map = counts.into_map();
        assert_eq!(map.values().sum::<u64>(), 200);
        assert_eq!(map.len(), KEYS_MAX + 1);
        assert_eq!(map["other"], 100);
    }

    #[test]
    fn examples_are_bounded_and_counts_are_not() {
        let mut wrongs = WrongCounts::default();
        let mut others = WrongCounts::default();
        for n in 0..10 {
            wrongs.add(WrongDelivery::Body, || format!("{n}"));
            others.add(WrongDelivery::Body, || "x".repeat(1000));
        }
        wrongs.merge(others);
        let (count, examples) = &wrongs.into_map()[&WrongDelivery::Body];
        assert_eq!((*count, examples.len()), (20, EXAMPLES_MAX));
    }
}
