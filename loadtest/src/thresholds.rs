//! What has to hold: limits in the scenario, judged against a result.

use serde::{Deserialize, Serialize};

use crate::report::RunReport;

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

impl ThresholdLimits {
    /// Judges every threshold that is given, in the order of the fields.
    pub fn judge(&self, report: &RunReport) -> Vec<ThresholdVerdict> {
        let latency = report.latency();
        let most = |key: &str, limit: Option<f64>, found: Option<f64>| {
            limit.map(|limit| ThresholdVerdict {
                key: key.to_owned(),
                limit,
                found,
                met: found.is_some_and(|found| found <= limit),
            })
        };
        let count = |limit: Option<u64>| limit.map(|it| it as f64);
        let counts = &report.counts;
        let rate = self.rate_min.map(|limit| ThresholdVerdict {
            key: "rate_min".to_owned(),
            limit,
            found: Some(report.rate_per_s),
            met: report.rate_per_s >= limit,
        });
        let all = [
            most("p50_ms", self.p50_ms, latency.map(|it| it.p50_ms)),
            most("p90_ms", self.p90_ms, latency.map(|it| it.p90_ms)),
            most("p99_ms", self.p99_ms, latency.map(|it| it.p99_ms)),
            most("p999_ms", self.p999_ms, latency.map(|it| it.p999_ms)),
            most("max_ms", self.max_ms, latency.map(|it| it.max_ms)),
            most(
                "connect_p99_ms",
                self.connect_p99_ms,
                report.connects().map(|it| it.p99_ms),
            ),
            most(
                "errors",
                count(self.errors),
                Some(report.errors_total() as f64),
            ),
            most("lost", count(self.lost), Some(counts.lost as f64)),
            most(
                "unsent",
                count(self.unsent),
                Some(report.unsent_total() as f64),
            ),
            most(
                "closes",
                count(self.closes),
                Some(report.closes_total() as f64),
            ),
            most(
                "connect_failures",
                count(self.connect_failures),
                Some(report.connect_failures_total() as f64),
            ),
            rate,
            most(
                "back_s_max",
                self.back_s_max,
                report.storm.as_ref().and_then(|it| it.all_back_s),
            ),
            most(
                "rss_per_socket_max",
                self.rss_per_socket_max,
                report.rss_per_socket,
            ),
            most(
                "cpu_us_per_message_max",
                self.cpu_us_per_message_max,
                report.cpu_us_per_message,
            ),
        ];
        all.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    fn verdicts(thresholds: ThresholdLimits) -> Vec<(String, bool)> {
        let judged = thresholds.judge(&sample()).into_iter();
        judged.map(|it| (it.key, it.met)).collect()
    }

    #[test]
    fn only_what_is_given_is_judged() {
        assert_eq!(verdicts(ThresholdLimits::default()), []);
    }

    #[test]
    fn a_limit_itself_is_met_and_beyond_it_is_not() {
        let tight = ThresholdLimits {
            p50_ms: Some(49.0),
            p99_ms: Some(100.0),
            errors: Some(0),
            rate_min: Some(1000.0),
            ..ThresholdLimits::default()
        };
        let expected = [
            ("p50_ms", false),
            ("p99_ms", true),
            ("errors", true),
            ("rate_min", true),
        ];
        let expected = expected.map(|(key, met)| (key.to_owned(), met));
        assert_eq!(verdicts(tight), expected);
        let low = ThresholdLimits {
            rate_min: Some(1000.1),
            ..ThresholdLimits::default()
        };
        assert_eq!(verdicts(low), [("rate_min".to_owned(), false)]);
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let unknown = ThresholdLimits {
            cpu_us_per_message_max: Some(1e9),
            back_s_max: Some(1e9),
            connect_p99_ms: Some(1e9),
            ..ThresholdLimits::default()
        };
        assert!(verdicts(unknown).iter().all(|(_, met)| !met));
    }
}
