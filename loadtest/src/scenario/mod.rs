//! What a load test does, as a TOML file says it.
//!
//! Settings of the whole at the top, one table for each kind of load, and `[thresholds]`. Several
//! kinds in one file run at the same time: that is how a blend is made. Unknown keys are errors.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::thresholds::ThresholdLimits;

mod kinds;
mod overrides;
mod span;

pub use kinds::{
    ChurnLoad, FanoutLoad, IdleLoad, OpenLoad, PartialsLoad, PingpongLoad, SlowLoad, StormLoad,
    TypingLoad,
};
pub use span::TimeSpan;

/// The scenarios that the program brings along: name and file.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("pingpong", include_str!("../../scenarios/pingpong.toml")),
    ("open", include_str!("../../scenarios/open.toml")),
    ("idle", include_str!("../../scenarios/idle.toml")),
    ("fanout", include_str!("../../scenarios/fanout.toml")),
    ("churn", include_str!("../../scenarios/churn.toml")),
    ("storm", include_str!("../../scenarios/storm.toml")),
    ("slow", include_str!("../../scenarios/slow.toml")),
    ("mixed", include_str!("../../scenarios/mixed.toml")),
];

/// Largest frame that a gateway takes by default, bytes.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Flows are numbered with seven digits, and no machine has more sockets.
const SOCKETS_MAX: usize = 2_000_000;
/// Rows of the timeline are kept for each second.
const DURATION_MAX_S: f64 = 24.0 * 3600.0;

/// Which messages are acknowledged to their sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckChoice {
    /// All; the time until the ack is measured.
    All,
    /// Only those that failed.
    Errors,
}

/// A load test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadScenario {
    /// Short name, for tables.
    pub name: String,
    /// One sentence for a person.
    pub about: String,
    /// How long traffic runs before anything is counted.
    pub warm_up: TimeSpan,
    /// How long is measured.
    pub duration: TimeSpan,
    /// Longest wait for what is still under way at the end.
    pub drain: TimeSpan,
    /// Longest wait until all sockets are open.
    pub setup: TimeSpan,
    /// Threads of the load generator, 1 to 256.
    pub threads: usize,
    /// Among how many tenants pairs are spread; 0 = each has its own.
    pub tenants: usize,
    /// Which messages are acknowledged.
    pub acks: AckChoice,
    /// Size of a message's frame as it is sent, bytes; never less than what its checks need.
    pub message_bytes: usize,
    /// Handshakes under way at once, of all threads. A gateway takes 256 from one source.
    pub connect_at_once: usize,
    /// Local addresses to connect from, in turn. Empty: the system's choice, and on loopback as
    /// many as are needed.
    pub source_addresses: Vec<IpAddr>,
    /// Pairs that send as fast as they are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pingpong: Option<PingpongLoad>,
    /// Pairs that send at a fixed rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenLoad>,
    /// Sockets that say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<IdleLoad>,
    /// Bots that write to many clients of several devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fanout: Option<FanoutLoad>,
    /// Visits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub churn: Option<ChurnLoad>,
    /// Everybody reconnects at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<StormLoad>,
    /// Pairs of which some stop reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow: Option<SlowLoad>,
    /// Bots that write as they think.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partials: Option<PartialsLoad>,
    /// Clients that type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typing: Option<TypingLoad>,
    /// What has to hold.
    pub thresholds: ThresholdLimits,
}

impl Default for LoadScenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            about: String::new(),
            warm_up: TimeSpan::from_ms(1000),
            duration: TimeSpan::from_ms(5000),
            drain: TimeSpan::from_ms(5000),
            setup: TimeSpan::from_ms(60_000),
            threads: 1,
            tenants: 0,
            acks: AckChoice::Errors,
            message_bytes: 200,
            connect_at_once: 64,
            source_addresses: Vec::new(),
            pingpong: None,
            open: None,
            idle: None,
            fanout: None,
            churn: None,
            storm: None,
            slow: None,
            partials: None,
            typing: None,
            thresholds: ThresholdLimits::default(),
        }
    }
}

impl LoadScenario {
    /// Takes a built-in scenario by its name, or a file by its path, and applies `key=value`s.
    ///
    /// Errors: no such scenario or file; a key that does not exist, named; a value out of range.
    pub fn load(name_or_path: &str, changes: &[String]) -> Result<Self> {
        let text = text_of(name_or_path)?;
        Self::parse(&text, changes).with_context(|| name_or_path.to_owned())
    }

    /// Reads a scenario from its text and applies `key=value`s.
    pub fn parse(text: &str, changes: &[String]) -> Result<Self> {
        // Once as it is, as an error then shows the line.
        let written: Self = toml::from_str(text)?;
        let scenario = if changes.is_empty() {
            written
        } else {
            overrides::apply(text, changes)?
        };
        scenario.check()?;
        Ok(scenario)
    }

    /// The largest message that it sends, bytes.
    pub fn longest_message(&self) -> usize {
        let stalled = self.slow.as_ref().map_or(0, |it| it.stalled_bytes);
        self.message_bytes.max(stalled)
    }

    fn check(&self) -> Result<()> {
        let sockets = self.sockets();
        ensure!(
            sockets > 0,
            "a scenario needs a load: a table like [pingpong] that opens a socket"
        );
        ensure!(sockets <= SOCKETS_MAX, "at most {SOCKETS_MAX} sockets");
        ensure!((1..=256).contains(&self.threads), "threads: 1 to 256");
        ensure!(self.connect_at_once >= 1, "connect_at_once: at least 1");
        ensure!(
            self.message_bytes <= MESSAGE_BYTES_MAX,
            "message_bytes: at most {MESSAGE_BYTES_MAX}"
        );
        let seconds = self.duration.as_secs_f64();
        ensure!(
            seconds > 0.0 && seconds <= DURATION_MAX_S,
            "duration: more than 0, at most 24h"
        );
        let unique: BTreeSet<_> = self.source_addresses.iter().collect();
        ensure!(
            unique.len() == self.source_addresses.len(),
            "source_addresses: one is given twice"
        );
        self.check_kinds()
    }
}

/// The text of a built-in scenario, or of a file.
pub fn text_of(name_or_path: &str) -> Result<String> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
        return Ok((*text).to_owned());
    }
    match fs::read_to_string(name_or_path) {
        Ok(text) => Ok(text),
        Err(error) => {
            let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            bail!(
                "{name_or_path}: neither a file ({error}) nor one of {}",
                names.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_is_good_and_has_its_name() {
        for (name, _) in BUILT_IN {
            let scenario = LoadScenario::load(name, &[]).unwrap();
            assert_eq!(scenario.name, *name);
            assert!(scenario.about.ends_with('.'), "{name}");
            assert!(scenario.duration.as_secs_f64() <= 10.0, "{name}");
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        for (text, key) in [
            ("durration = \"1s\"\n[idle]\nsockets = 1", "durration"),
            ("[idle]\nsocket = 1", "socket"),
            ("[idle]\nsockets = 1\n[thresholds]\np98_ms = 1.0", "p98_ms"),
            ("[pingpang]\npairs = 1", "pingpang"),
        ] {
            let error = LoadScenario::parse(text, &[]).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for text in [
            "",
            "threads = 0\n[idle]\nsockets = 1",
            "duration = \"0\"\n[idle]\nsockets = 1",
            "duration = \"25h\"\n[idle]\nsockets = 1",
            "duration = \"5\"\n[idle]\nsockets = 1",
            "message_bytes = 300000\n[idle]\nsockets = 1",
            "source_addresses = [\"127.0.0.1\", \"127.0.0.1\"]\n[idle]\nsockets = 1",
            "[idle]\nsockets = 0",
            "[open]\npairs = 1\nrate = 0.0",
            "[open]\npairs = 1\nrate = nan",
            "[slow]\npairs = 10\nstalled = 1.5",
            "[partials]\npairs = 1\nstream = 1",
            "[pingpong]\npairs = 1\nwindow = 0",
        ] {
            assert!(LoadScenario::parse(text, &[]).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = LoadScenario::load("pongping", &[]).unwrap_err().to_string();
        assert!(error.contains("pingpong, open, idle"), "{error}");
    }
}
