//! The tables and lists of a report.

use serde::{Deserialize, Serialize};

use super::latency::LatencySummary;

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

/// How one threshold came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdVerdict {
    /// Its key.
    pub key: String,
    /// Its value.
    pub limit: f64,
    /// What was measured; none if nothing was, which is a miss.
    pub found: Option<f64>,
    /// Whether it holds.
    pub met: bool,
}
