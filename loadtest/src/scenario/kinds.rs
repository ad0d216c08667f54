//! The kinds of load, one table of a scenario each.

use serde::{Deserialize, Serialize};

use super::span::TimeSpan;

/// Pairs of a client and a bot that answer each other: a closed loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingpongLoad {
    /// How many.
    pub pairs: usize,
    /// Questions under way in each.
    #[serde(default = "one")]
    pub window: u32,
}

/// Pairs whose clients ask at a fixed rate, whether they are answered or not: an open loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenLoad {
    /// How many.
    pub pairs: usize,
    /// Questions a second, of all pairs together.
    pub rate: f64,
}

/// Sockets that say nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdleLoad {
    /// How many.
    pub sockets: usize,
}

/// Bots that write to many clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FanoutLoad {
    /// How many bots.
    #[serde(default = "one_usize")]
    pub bots: usize,
    /// Clients of each bot.
    pub clients: usize,
    /// Sockets that share one client id.
    #[serde(default = "one_usize")]
    pub devices: usize,
    /// Messages a second, of all bots together.
    pub rate: f64,
}

/// Visits: a pair connects, talks and leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChurnLoad {
    /// Visits a second.
    pub rate: f64,
    /// Most visits under way; one more is counted as not made.
    pub at_once: usize,
    /// Questions of a visit.
    #[serde(default = "one")]
    pub messages: u32,
}

/// Everybody reconnects at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StormLoad {
    /// How many pairs of a client and a bot.
    pub pairs: usize,
    /// The first wait is a random part of this; each failure doubles it.
    pub jitter: TimeSpan,
}

/// Pairs at a fixed rate, and beside them clients that do not read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowLoad {
    /// How many, those that stop among them.
    pub pairs: usize,
    /// Questions a second of those that go on.
    #[serde(default = "hundred")]
    pub rate: f64,
    /// Which share stops reading: 0 to 1, both excluded.
    pub stalled: f64,
    /// Messages a second to those that stopped, together.
    #[serde(default = "hundred")]
    pub stalled_rate: f64,
    /// Size of those messages, bytes: large, so that queues fill within a short run.
    #[serde(default = "large")]
    pub stalled_bytes: usize,
}

impl SlowLoad {
    /// How many clients stop reading: at least one, and one goes on.
    pub(crate) fn stalled_pairs(&self) -> usize {
        let share = (self.pairs as f64 * self.stalled).round() as usize;
        share.clamp(1, self.pairs.saturating_sub(1).max(1))
    }
}

/// Bots that write as they think: each message grows before the client's eyes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartialsLoad {
    /// How many pairs.
    pub pairs: usize,
    /// Frames a second, of all pairs together.
    pub rate: f64,
    /// Frames of one stream; the last is the message.
    pub stream: u64,
}

/// Clients that tell their bots that they type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypingLoad {
    /// How many pairs.
    pub pairs: usize,
    /// Frames a second, of all pairs together.
    pub rate: f64,
}

fn one() -> u32 {
    1
}

fn one_usize() -> usize {
    1
}

fn large() -> usize {
    32 * 1024
}

fn hundred() -> f64 {
    100.0
}
