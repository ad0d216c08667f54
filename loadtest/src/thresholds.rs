//! The limits of a scenario that a result is judged by: [`judge`](crate::judge).

use serde::{Deserialize, Serialize};

/// Limits; what is not given is not judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThresholdLimits {
    /// Median latency, ms: of the round trip, or one way where nothing is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// 90th percentile of it, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90_ms: Option<f64>,
    /// 99th percentile of it, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// 99.9th percentile of it, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999_ms: Option<f64>,
    /// Longest, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// 99th percentile of the time until a connection is authenticated, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_p99_ms: Option<f64>,
    /// Frames that the gateway refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
    /// Messages that were neither delivered nor refused, of connections that held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Messages that were due and that the generator could not send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsent: Option<u64>,
    /// Connections that the gateway ended, or that broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes: Option<u64>,
    /// Connections that could not be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_failures: Option<u64>,
    /// Least deliveries a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_min: Option<f64>,
    /// Most seconds until everybody is back after a storm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_s_max: Option<f64>,
    /// Most memory that all watched servers gained, bytes for each socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_per_socket_max: Option<f64>,
    /// Most CPU time of all watched servers for a delivery, µs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us_per_message_max: Option<f64>,
}
