//! The result as text for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::units::{bytes, count, digits, ms, percent};
use super::{LatencySummary, RunReport};

const LABEL: usize = 18;
const CELL: usize = 10;

/// The whole result. What must never happen comes first.
pub fn render(report: &RunReport) -> String {
    let mut out = String::new();
    breaches(&mut out, report);
    head(&mut out, report);
    latencies(&mut out, report);
    storm(&mut out, report);
    counts(&mut out, report);
    servers(&mut out, report);
    for warning in &report.warnings {
        line(&mut out, "warning", warning);
    }
    thresholds(&mut out, report);
    out
}

fn line(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "  {label:<LABEL$}{text}");
}

fn breaches(out: &mut String, report: &RunReport) {
    for breach in &report.breaches {
        let _ = writeln!(out, "WRONG: {} × {}", count(breach.count), breach.kind);
        for example in &breach.examples {
            let _ = writeln!(out, "    {}", example.escape_debug());
        }
    }
}

fn head(out: &mut String, report: &RunReport) {
    let _ = writeln!(out, "\n{}: {}", report.scenario.name, report.scenario.about);
    let early = if report.ended_early {
        ", ended early"
    } else {
        ""
    };
    line(
        out,
        "run",
        &format!(
            "{} sockets ready in {} s, measured {} s{early}",
            count(report.sockets),
            digits(report.setup_s),
            digits(report.measured_s)
        ),
    );
    if report.counts.messages_delivered + report.counts.partials_delivered > 0 {
        let rate = format!("{} deliveries/s", digits(report.rate_per_s));
        line(out, "rate", &rate);
    }
}

fn latencies(out: &mut String, report: &RunReport) {
    let rows = report.latencies();
    if rows.is_empty() {
        return;
    }
    let heads = ["p50", "p90", "p99", "p99.9", "max", "count"];
    let heads: String = heads.iter().map(|it| format!("{it:>CELL$}")).collect();
    let _ = writeln!(out, "\n  {:<LABEL$}{heads}", "latency");
    for (name, latency) in rows {
        line(out, name, &cells(latency));
    }
}

fn cells(it: &LatencySummary) -> String {
    let times = [it.p50_ms, it.p90_ms, it.p99_ms, it.p999_ms, it.max_ms];
    let mut cells: String = times
        .iter()
        .map(|it| format!("{:>CELL$}", ms(*it)))
        .collect();
    let _ = write!(cells, "{:>CELL$}", count(it.count));
    cells
}

fn storm(out: &mut String, report: &RunReport) {
    let Some(storm) = &report.storm else {
        return;
    };
    let text = match storm.all_back_s {
        Some(seconds) => format!("all {} pairs in {} s", count(storm.pairs), digits(seconds)),
        None => format!(
            "{} of {} pairs did not come back",
            storm.not_back, storm.pairs
        ),
    };
    let _ = writeln!(out);
    line(out, "storm", &text);
}

fn counts(out: &mut String, report: &RunReport) {
    let it = &report.counts;
    let _ = writeln!(out);
    let kinds = [
        ("messages", it.messages_sent, it.messages_delivered),
        ("partials", it.partials_sent, it.partials_delivered),
        ("typing", it.typing_sent, it.typing_delivered),
    ];
    for (name, sent, delivered) in kinds {
        if sent > 0 {
            let text = format!("{} sent, {} delivered", count(sent), count(delivered));
            line(out, name, &text);
        }
    }
    if it.visits > 0 {
        line(out, "visits", &count(it.visits));
    }
    let lost = format!(
        "{} lost, {} cut with a connection",
        count(it.lost),
        count(it.cut)
    );
    line(out, "not delivered", &lost);
    let tables = [
        ("errors", &report.errors),
        ("provoked", &report.expected),
        ("closes", &report.closes),
        ("not connected", &report.connect_failures),
        ("not sent", &report.unsent),
    ];
    for (name, table) in tables {
        if !table.is_empty() {
            line(out, name, &listed(table));
        }
    }
}

pub(super) fn listed(table: &BTreeMap<String, u64>) -> String {
    let parts: Vec<_> = table
        .iter()
        .map(|(name, times)| format!("{name} {}", count(*times)))
        .collect();
    parts.join(", ")
}

fn servers(out: &mut String, report: &RunReport) {
    let _ = writeln!(out);
    for server in &report.servers {
        line(out, &server.name, &server_line(server));
    }
    if let Some(redis) = &report.redis {
        let text = format!(
            "{} cores, {} commands/s, {}/s in, {}/s out, {} channels",
            digits(redis.cores),
            digits(redis.commands_per_s),
            bytes(redis.in_bytes_per_s),
            bytes(redis.out_bytes_per_s),
            digits(redis.channels)
        );
        line(out, "redis", &text);
    }
    if let Some(cpu) = report.cpu_us_per_message {
        line(out, "CPU a delivery", &format!("{} µs", digits(cpu)));
    }
    if let Some(rss) = report.rss_per_socket {
        line(out, "memory a socket", &bytes(rss));
    }
    let busy: Vec<_> = report
        .generator
        .busy
        .iter()
        .map(|it| percent(*it))
        .collect();
    let machine = report.machine_busy;
    let machine = machine.map_or(String::new(), |it| format!("; the machine {}", percent(it)));
    let text = format!("{} of a core by thread{machine}", busy.join(", "));
    line(out, "load generator", &text);
}

fn server_line(server: &crate::servers::ServerLoad) -> String {
    let mut parts = Vec::new();
    if let Some(cores) = server.cores {
        parts.push(format!("{} cores", digits(cores)));
    }
    if let Some(rss) = server.rss_max {
        parts.push(format!("{} at most", bytes(rss as f64)));
    }
    if let Some(switches) = server.switches_per_s {
        parts.push(format!("{} context switches/s", digits(switches)));
    }
    let delivered = server.counters.get("t2b_messages_delivered_total");
    if let Some(delivered) = delivered {
        parts.push(format!("{} messages by its own count", digits(*delivered)));
    }
    match parts.is_empty() {
        true => "says nothing".to_owned(),
        false => parts.join(", "),
    }
}

fn thresholds(out: &mut String, report: &RunReport) {
    if report.thresholds.is_empty() {
        return;
    }
    let _ = writeln!(out);
    for verdict in &report.thresholds {
        let mark = if verdict.met { "ok" } else { "MISSED" };
        let found = verdict.found.map_or("not measured".to_owned(), digits);
        let text = format!("{mark}: {found}, limit {}", digits(verdict.limit));
        line(out, &verdict.key, &text);
    }
}
