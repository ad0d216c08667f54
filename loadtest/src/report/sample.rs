//! A report for unit tests.

use super::latency::LatencySummary;
use super::parts::TimelineRow;
use super::run_report::{RunReport, VERSION};
use crate::measure::histogram;
use crate::scenario::LoadScenario;
use crate::servers::ServerLoad;

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
