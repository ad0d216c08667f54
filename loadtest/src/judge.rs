//! Judges a result by the thresholds of its scenario.

use crate::report::{LatencySummary, RunReport, ThresholdVerdict};
use crate::thresholds::ThresholdLimits;

/// Judges every threshold that is given, in the order of the fields.
pub(crate) fn judge(limits: &ThresholdLimits, report: &RunReport) -> Vec<ThresholdVerdict> {
    let verdicts = latencies(limits, report).into_iter();
    let verdicts = verdicts
        .chain(counts(limits, report))
        .chain([rate(limits, report)]);
    let verdicts = verdicts.chain(costs(limits, report));
    verdicts.flatten().collect()
}

fn latencies(limits: &ThresholdLimits, report: &RunReport) -> [Option<ThresholdVerdict>; 6] {
    let of = |value: fn(&LatencySummary) -> f64| report.latency().map(value);
    let connect = report.connects().map(|it| it.p99_ms);
    [
        at_most("p50_ms", limits.p50_ms, of(|it| it.p50_ms)),
        at_most("p90_ms", limits.p90_ms, of(|it| it.p90_ms)),
        at_most("p99_ms", limits.p99_ms, of(|it| it.p99_ms)),
        at_most("p999_ms", limits.p999_ms, of(|it| it.p999_ms)),
        at_most("max_ms", limits.max_ms, of(|it| it.max_ms)),
        at_most("connect_p99_ms", limits.connect_p99_ms, connect),
    ]
}

fn counts(limits: &ThresholdLimits, report: &RunReport) -> [Option<ThresholdVerdict>; 5] {
    let most = |key: &str, limit: Option<u64>, found: u64| {
        at_most(key, limit.map(|it| it as f64), Some(found as f64))
    };
    let failures = report.connect_failures_total();
    [
        most("errors", limits.errors, report.errors_total()),
        most("lost", limits.lost, report.counts.lost),
        most("unsent", limits.unsent, report.unsent_total()),
        most("closes", limits.closes, report.closes_total()),
        most("connect_failures", limits.connect_failures, failures),
    ]
}

fn rate(limits: &ThresholdLimits, report: &RunReport) -> Option<ThresholdVerdict> {
    limits.rate_min.map(|limit| ThresholdVerdict {
        key: "rate_min".to_owned(),
        limit,
        found: Some(report.rate_per_s),
        met: report.rate_per_s >= limit,
    })
}

fn costs(limits: &ThresholdLimits, report: &RunReport) -> [Option<ThresholdVerdict>; 3] {
    let back_s = report.storm.as_ref().and_then(|it| it.all_back_s);
    let (rss, rss_max) = (report.rss_per_socket, limits.rss_per_socket_max);
    let (cpu, cpu_max) = (report.cpu_us_per_message, limits.cpu_us_per_message_max);
    [
        at_most("back_s_max", limits.back_s_max, back_s),
        at_most("rss_per_socket_max", rss_max, rss),
        at_most("cpu_us_per_message_max", cpu_max, cpu),
    ]
}

/// A figure that was not measured is a miss.
fn at_most(key: &str, limit: Option<f64>, found: Option<f64>) -> Option<ThresholdVerdict> {
    limit.map(|limit| ThresholdVerdict {
        key: key.to_owned(),
        limit,
        found,
        met: found.is_some_and(|found| found <= limit),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    fn verdicts(thresholds: ThresholdLimits) -> Vec<(String, bool)> {
        let judged = judge(&thresholds, &sample()).into_iter();
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
