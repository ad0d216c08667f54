//! The charts of a run: over time, by percentile, by reason.

use crate::report::charts::{ChartSeries, LineChart, bars};
use crate::report::units::{bytes, count, digits, ms};
use crate::report::{LatencySummary, RunReport, TimelineRow};

/// Where on the percentile axis a percentile stands: each nine is as wide as the one before.
const NINES: &[(f64, &str)] = &[
    (0.0, "0 %"),
    (1.0, "90 %"),
    (2.0, "99 %"),
    (3.0, "99.9 %"),
    (4.0, "99.99 %"),
    (5.0, "99.999 %"),
    (6.0, "99.9999 %"),
];

/// All of them.
pub(super) fn render(out: &mut String, report: &RunReport) {
    out.push_str(&percentiles(report));
    let one = |name: &str, value: &dyn Fn(&TimelineRow) -> Option<f64>| series(report, name, value);
    if report.rate_per_s > 0.0 {
        let rate = one("deliveries", &|row| Some(row.delivered as f64));
        out.push_str(&over_time(
            report,
            "Deliveries a second",
            digits,
            vec![rate],
        ));
    }
    let latency = vec![
        one("99 %", &|row| row.p99_ms),
        one("median", &|row| row.p50_ms),
    ];
    out.push_str(&over_time(report, "Latency of each second", ms, latency));
    servers(out, report);
    let connected = vec![one("sockets", &|row| Some(row.connected as f64))];
    out.push_str(&over_time(
        report,
        "Sockets that are ready",
        digits,
        connected,
    ));
    out.push_str(&bars("Errors by reason", &reasons(report), count));
}

fn over_time(
    report: &RunReport,
    title: &'static str,
    format: fn(f64) -> String,
    series: Vec<ChartSeries>,
) -> String {
    LineChart {
        title,
        x_label: "seconds",
        x_marks: &[],
        warm_up: report.scenario.warm_up.as_secs_f64(),
        format,
        is_binary: title.starts_with("Memory"),
        series,
    }
    .render()
}

/// CPU and memory of each server, and CPU of the load generator.
fn servers(out: &mut String, report: &RunReport) {
    let generator = |row: &TimelineRow| Some(row.generator_cores);
    let mut cores = vec![series(report, "load generator", &generator)];
    let mut memory = Vec::new();
    for (place, server) in report.servers.iter().enumerate() {
        let own_cores = |row: &TimelineRow| row.server_cores.get(place).copied().flatten();
        let own_rss = |row: &TimelineRow| row.server_rss.get(place).copied().flatten();
        let own_memory = |row: &TimelineRow| own_rss(row).map(|it| it as f64);
        cores.push(series(report, &server.name, &own_cores));
        memory.push(series(report, &server.name, &own_memory));
    }
    out.push_str(&over_time(report, "CPU, cores", digits, cores));
    out.push_str(&over_time(report, "Memory of the servers", bytes, memory));
}

/// How often each went wrong, the most frequent first.
fn reasons(report: &RunReport) -> Vec<(String, u64)> {
    let mut reasons = Vec::new();
    for (what, table) in [
        ("", &report.errors),
        ("provoked: ", &report.expected),
        ("", &report.closes),
        ("connect: ", &report.connect_failures),
        ("not sent: ", &report.unsent),
    ] {
        let named = table.iter();
        reasons.extend(named.map(|(name, times)| (format!("{what}{name}"), *times)));
    }
    reasons.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    reasons
}

fn series(
    report: &RunReport,
    name: &str,
    value: &dyn Fn(&TimelineRow) -> Option<f64>,
) -> ChartSeries {
    let rows = report.timeline.iter();
    ChartSeries {
        name: name.to_owned(),
        points: rows
            .map(|row| (row.second as f64 + 1.0, value(row)))
            .collect(),
    }
}

fn percentiles(report: &RunReport) -> String {
    let line = |name: &str, latency: &Option<LatencySummary>| {
        let latency = latency.as_ref()?;
        // Beyond one in all of them there is nothing to tell apart.
        let least = 1.0 / latency.count as f64;
        let place = |percentile: f64| {
            let left = (1.0 - percentile / 100.0).max(least);
            (-left.log10()).max(0.0)
        };
        let points = latency.curve.iter();
        Some(ChartSeries {
            name: name.to_owned(),
            points: points.map(|(it, ms)| (place(*it), Some(*ms))).collect(),
        })
    };
    let series = [
        line("round trip", &report.round_trip),
        line("one way", &report.one_way),
        line("ack", &report.ack),
    ];
    LineChart {
        title: "Latency by percentile",
        x_label: "percentile",
        x_marks: NINES,
        warm_up: 0.0,
        format: ms,
        is_binary: false,
        series: series.into_iter().flatten().collect(),
    }
    .render()
}
