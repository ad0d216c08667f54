//! Percentiles of many times.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::histogram;
    use crate::report::sample::sample;

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
}
