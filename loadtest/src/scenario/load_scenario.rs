//! The values of a scenario.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::kinds::{
    ChurnLoad, FanoutLoad, IdleLoad, OpenLoad, PartialsLoad, PingpongLoad, SlowLoad, StormLoad,
    TypingLoad,
};
use super::span::TimeSpan;
use crate::thresholds::ThresholdLimits;

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
    /// Sockets that it opens at most.
    pub fn sockets(&self) -> usize {
        let pairs = [
            self.pingpong.as_ref().map(|it| it.pairs),
            self.open.as_ref().map(|it| it.pairs),
            self.churn.as_ref().map(|it| it.at_once),
            self.storm.as_ref().map(|it| it.pairs),
            self.slow.as_ref().map(|it| it.pairs),
            self.partials.as_ref().map(|it| it.pairs),
            self.typing.as_ref().map(|it| it.pairs),
        ];
        let fanout = self.fanout.as_ref().map_or(0, |it| {
            let clients = it.clients.saturating_mul(it.devices);
            it.bots.saturating_mul(clients.saturating_add(1))
        });
        let idle = self.idle.as_ref().map_or(0, |it| it.sockets);
        let pairs = pairs.into_iter().flatten();
        let paired = pairs.fold(0_usize, |sum, it| sum.saturating_add(it.saturating_mul(2)));
        paired.saturating_add(fanout).saturating_add(idle)
    }

    /// The largest message that it sends, bytes.
    pub(crate) fn longest_message(&self) -> usize {
        let stalled = self.slow.as_ref().map_or(0, |it| it.stalled_bytes);
        self.message_bytes.max(stalled)
    }
}
