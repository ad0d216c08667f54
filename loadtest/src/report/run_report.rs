//! The result of a run, as JSON holds it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::environment::RunEnvironment;
use super::latency::LatencySummary;
use super::parts::{
    BreachCount, GeneratorLoad, MessageCounts, StormResult, ThresholdVerdict, TimelineRow,
};
use crate::measure::FrameCounts;
use crate::scenario::LoadScenario;
use crate::servers::{RedisLoad, ServerLoad};

/// Of the JSON's form; another one is not read.
pub const VERSION: u32 = 1;

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
    pub(crate) fn latency(&self) -> Option<&LatencySummary> {
        self.round_trip.as_ref().or(self.one_way.as_ref())
    }

    /// All that were measured, by what they are called for readers.
    pub(crate) fn latencies(&self) -> Vec<(&'static str, &LatencySummary)> {
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
    pub(crate) fn connects(&self) -> Option<&LatencySummary> {
        self.connect.as_ref().or(self.connect_setup.as_ref())
    }

    /// Refusals.
    pub(crate) fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Connections that ended.
    pub(crate) fn closes_total(&self) -> u64 {
        self.closes.values().sum()
    }

    /// Connections that could not be opened.
    pub(crate) fn connect_failures_total(&self) -> u64 {
        self.connect_failures.values().sum()
    }

    /// Messages that were due and not sent.
    pub(crate) fn unsent_total(&self) -> u64 {
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
mod tests {
    use super::*;
    use crate::measure::ThreadTally;
    use crate::report::sample::sample;
    use crate::report::table;

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
