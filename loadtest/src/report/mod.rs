//! The result of a run: what JSON holds, and tables and pages are made from.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::measure::FrameCounts;
use crate::scenario::LoadScenario;
use crate::servers::{RedisLoad, ServerLoad};
use crate::thresholds::ThresholdVerdict;

mod charts;
mod environment;
pub mod html;
pub mod table;
pub(crate) mod units;

pub use environment::RunEnvironment;

/// Of the JSON's form; another one is not read.
pub const VERSION: u32 = 1;

/// Times of many events, ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// How many.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// Longest.
    pub max_ms: f64,
    /// The whole curve: percentile and ms, in order.
    pub curve: Vec<(f64, f64)>,
}

impl LatencySummary {
    /// Of a histogram in nanoseconds; none if it is empty.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let ms = |ns: u64| ns as f64 / 1e6;
        let at = |quantile: f64| ms(histogram.value_at_quantile(quantile));
        let curve = histogram.iter_quantiles(4);
        let curve = curve.map(|it| (it.percentile(), ms(it.value_iterated_to())));
        Some(Self {
            count: histogram.len(),
            mean_ms: histogram.mean() / 1e6,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: ms(histogram.max()),
            curve: curve.collect(),
        })
    }
}

/// One kind of thing that must never happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreachCount {
    /// Which.
    pub kind: String,
    /// How often.
    pub count: u64,
    /// What it looked like.
    pub examples: Vec<String>,
}

/// Messages by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageCounts {
    /// `message`s that were due within the measurement and sent.
    pub messages_sent: u64,
    /// Deliveries of them within it; a message to three devices has three.
    pub messages_delivered: u64,
    /// The same for `message_partial`.
    pub partials_sent: u64,
    /// Fewer than sent, as newer ones replace waiting ones.
    pub partials_delivered: u64,
    /// The same for `typing`.
    pub typing_sent: u64,
    /// Best effort too.
    pub typing_delivered: u64,
    /// Neither delivered nor refused.
    pub lost: u64,
    /// Under way when a connection ended.
    pub cut: u64,
    /// Visits that were completed.
    pub visits: u64,
}

/// How everybody came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StormResult {
    /// Pairs that were dropped.
    pub pairs: u64,
    /// Pairs that did not come back.
    pub not_back: u64,
    /// Seconds until the last pair had its first answer; none if one did not come back.
    pub all_back_s: Option<f64>,
    /// From the drop to the first answer.
    pub back: Option<LatencySummary>,
}

/// What the load generator itself used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorLoad {
    /// Share of a core that each thread had within the measurement.
    pub busy: Vec<f64>,
}

/// One second of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TimelineRow {
    /// Seconds since the warm-up began.
    pub second: u64,
    /// Deliveries.
    pub delivered: u64,
    /// Refusals.
    pub errors: u64,
    /// Sockets that are ready, at its end.
    pub connected: u64,
    /// Median latency of what arrived in it, ms.
    pub p50_ms: Option<f64>,
    /// 99th percentile of it, ms.
    pub p99_ms: Option<f64>,
    /// Cores that the load generator had.
    pub generator_cores: f64,
    /// Cores that each server had.
    pub server_cores: Vec<Option<f64>>,
    /// Memory of each server, bytes.
    pub server_rss: Vec<Option<u64>>,
}

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`VERSION`]
    pub version: u32,
    /// What was run, with every value.
    pub scenario: LoadScenario,
    /// Where.
    pub environment: RunEnvironment,
    /// When, Unix seconds.
    pub started_unix_s: u64,
    /// Addresses of the gateways.
    pub gateways: Vec<String>,
    /// Length of the measurement, seconds.
    pub measured_s: f64,
    /// Whether somebody ended it early.
    pub ended_early: bool,
    /// Sockets that were ready when traffic began.
    pub sockets: u64,
    /// Seconds until they were.
    pub setup_s: f64,
    /// Deliveries a second, of all kinds.
    pub rate_per_s: f64,
    /// Messages by what became of them.
    pub counts: MessageCounts,
    /// From when a question was due to its answer.
    pub round_trip: Option<LatencySummary>,
    /// From when a message was due to its delivery.
    pub one_way: Option<LatencySummary>,
    /// From when a message was due to its ack.
    pub ack: Option<LatencySummary>,
    /// From dialling to `auth_ok`, before the measurement.
    pub connect_setup: Option<LatencySummary>,
    /// The same within it.
    pub connect: Option<LatencySummary>,
    /// From `register_bot` to `bot_registered`.
    pub register: Option<LatencySummary>,
    /// From when a visit was due to its last answer.
    pub visit: Option<LatencySummary>,
    /// The storm, if there was one.
    pub storm: Option<StormResult>,
    /// What must never happen.
    pub breaches: Vec<BreachCount>,
    /// Refusals by reason.
    pub errors: BTreeMap<String, u64>,
    /// Refusals and closes that the scenario provokes.
    pub expected: BTreeMap<String, u64>,
    /// Connections that ended, by code or kind.
    pub closes: BTreeMap<String, u64>,
    /// Connections that could not be opened, by kind.
    pub connect_failures: BTreeMap<String, u64>,
    /// Messages that were due and not sent, by reason.
    pub unsent: BTreeMap<String, u64>,
    /// What the load generator used.
    pub generator: GeneratorLoad,
    /// Share of all cores of this machine that were busy.
    pub machine_busy: Option<f64>,
    /// What each watched server used.
    pub servers: Vec<ServerLoad>,
    /// What Redis did.
    pub redis: Option<RedisLoad>,
    /// CPU time of all watched servers for a delivery, µs.
    pub cpu_us_per_message: Option<f64>,
    /// Memory that all watched servers gained, bytes for each socket.
    pub rss_per_socket: Option<f64>,
    /// What a reader of the figures has to know.
    pub warnings: Vec<String>,
    /// How the thresholds came out.
    pub thresholds: Vec<ThresholdVerdict>,
    /// Second by second.
    pub timeline: Vec<TimelineRow>,
}

/// How a run ended, for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// All is well: 0.
    Good,
    /// A threshold was missed: 1.
    Missed,
    /// A delivery was wrong: 2.
    Wrong,
}

impl RunReport {
    /// The latency that thresholds and charts are about: of round trips, or one way.
    pub fn latency(&self) -> Option<&LatencySummary> {
        self.round_trip.as_ref().or(self.one_way.as_ref())
    }

    /// All that were measured, by what they are called for readers.
    pub fn latencies(&self) -> Vec<(&'static str, &LatencySummary)> {
        let storm = self.storm.as_ref();
        let all = [
            ("round trip", self.round_trip.as_ref()),
            ("one way", self.one_way.as_ref()),
            ("ack", self.ack.as_ref()),
            ("connect, setup", self.connect_setup.as_ref()),
            ("connect", self.connect.as_ref()),
            ("register", self.register.as_ref()),
            ("visit", self.visit.as_ref()),
            ("back after storm", storm.and_then(|it| it.back.as_ref())),
        ];
        let measured = all.into_iter();
        measured
            .filter_map(|(name, it)| Some((name, it?)))
            .collect()
    }

    /// The connection times that a threshold is about: within the measurement, or before it.
    pub fn connects(&self) -> Option<&LatencySummary> {
        self.connect.as_ref().or(self.connect_setup.as_ref())
    }

    /// Refusals.
    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Connections that ended.
    pub fn closes_total(&self) -> u64 {
        self.closes.values().sum()
    }

    /// Connections that could not be opened.
    pub fn connect_failures_total(&self) -> u64 {
        self.connect_failures.values().sum()
    }

    /// Messages that were due and not sent.
    pub fn unsent_total(&self) -> u64 {
        self.unsent.values().sum()
    }

    /// How it ended: wrong deliveries weigh more than missed thresholds.
    pub fn outcome(&self) -> RunOutcome {
        if !self.breaches.is_empty() {
            return RunOutcome::Wrong;
        }
        match self.thresholds.iter().all(|it| it.met) {
            true => RunOutcome::Good,
            false => RunOutcome::Missed,
        }
    }

    /// Reads the JSON of a run. Errors: another file, or of another version.
    pub fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(name)?;
        let version = serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|value| value["version"].as_u64());
        ensure!(
            version == Some(VERSION.into()),
            "{}: no result of this program, or of another version",
            name()
        );
        serde_json::from_str(&text).with_context(name)
    }

    pub(crate) fn put_messages(
        &mut self,
        messages: FrameCounts,
        partials: FrameCounts,
        typing: FrameCounts,
    ) {
        self.counts.messages_sent = messages.sent;
        self.counts.messages_delivered = messages.delivered;
        self.counts.partials_sent = partials.sent;
        self.counts.partials_delivered = partials.delivered;
        self.counts.typing_sent = typing.sent;
        self.counts.typing_delivered = typing.delivered;
        let all = messages.delivered + partials.delivered + typing.delivered;
        self.rate_per_s = all as f64 / self.measured_s.max(1e-9);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::measure::{ThreadTally, histogram};

    /// A result with a round trip of 1 to 100 ms.
    pub(crate) fn sample() -> RunReport {
        let mut trips = histogram();
        (1..=100).for_each(|ms| trips.saturating_record(ms * 1_000_000));
        let row = |second| TimelineRow {
            second,
            delivered: 1000 + second,
            p50_ms: Some(50.0),
            p99_ms: Some(99.0),
            server_cores: vec![Some(0.5)],
            server_rss: vec![Some(1 << 20)],
            ..TimelineRow::default()
        };
        RunReport {
            version: VERSION,
            scenario: LoadScenario::load("open", &[]).unwrap(),
            measured_s: 10.0,
            rate_per_s: 1000.0,
            round_trip: LatencySummary::of(&trips),
            timeline: (0..10).map(row).collect(),
            servers: vec![ServerLoad {
                name: "127.0.0.1:3000".to_owned(),
                ..ServerLoad::default()
            }],
            ..RunReport::default()
        }
    }

    #[test]
    fn a_latency_is_that_of_its_histogram() {
        let latency = sample().round_trip.unwrap();
        assert_eq!(latency.count, 100);
        for (found, ms) in [
            (latency.p50_ms, 50.0),
            (latency.p90_ms, 90.0),
            (latency.p99_ms, 99.0),
            (latency.max_ms, 100.0),
        ] {
            assert!((found / ms - 1.0).abs() < 0.002, "{found} is not {ms}");
        }
        assert!(latency.curve.is_sorted());
        assert_eq!(LatencySummary::of(&histogram()), None);
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("it.json");
        let report = sample();
        fs::write(&path, serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!(RunReport::read(&path).unwrap(), report);
        fs::write(&path, r#"{"version":0}"#).unwrap();
        let error = RunReport::read(&path).unwrap_err().to_string();
        assert!(error.contains("another version"), "{error}");
    }

    #[test]
    fn a_wrong_delivery_weighs_more_than_a_missed_threshold() {
        let mut report = sample();
        assert_eq!(report.outcome(), RunOutcome::Good);
        report.thresholds = vec![ThresholdVerdict {
            key: "lost".to_owned(),
            limit: 0.0,
            found: Some(1.0),
            met: false,
        }];
        assert_eq!(report.outcome(), RunOutcome::Missed);
        report.breaches = vec![BreachCount {
            kind: "lost".to_owned(),
            count: 1,
            examples: Vec::new(),
        }];
        assert_eq!(report.outcome(), RunOutcome::Wrong);
        assert!(table::render(&report).starts_with("WRONG: 1 × lost"));
    }

    #[test]
    fn a_rate_is_of_all_kinds() {
        let mut report = sample();
        let mut tally = ThreadTally::default();
        tally.messages.delivered = 300;
        tally.partials.delivered = 100;
        report.put_messages(tally.messages, tally.partials, tally.typing);
        assert_eq!(report.rate_per_s, 40.0);
    }
}
