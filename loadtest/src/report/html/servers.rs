//! What the servers, Redis and the load generator used.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{escape, table};
use crate::report::RunReport;
use crate::report::units::{bytes, digits, percent};

/// The tables.
pub(super) fn render(out: &mut String, report: &RunReport) {
    let some = |value: Option<f64>, format: fn(f64) -> String| value.map_or("–".to_owned(), format);
    let mut rows: Vec<Vec<String>> = report
        .servers
        .iter()
        .map(|it| {
            vec![
                escape(&it.name),
                some(it.cores, digits),
                some(it.rss_max.map(|rss| rss as f64), bytes),
                some(it.switches_per_s, digits),
                some(it.preemptions_per_s, digits),
            ]
        })
        .collect();
    let busy: Vec<_> = report
        .generator
        .busy
        .iter()
        .map(|it| percent(*it))
        .collect();
    let mut generator = vec![format!("load generator: {} by thread", busy.join(", "))];
    generator.resize(5, String::new());
    rows.push(generator);
    out.push_str("<h2>Servers</h2>");
    let heads = [
        "",
        "cores",
        "memory at most",
        "context switches/s",
        "preemptions/s",
    ];
    table(out, &heads, rows.into_iter());
    if let Some(redis) = &report.redis {
        let cells = vec![
            "redis".to_owned(),
            digits(redis.cores),
            digits(redis.commands_per_s),
            bytes(redis.in_bytes_per_s),
            bytes(redis.out_bytes_per_s),
            digits(redis.channels),
            bytes(redis.memory_bytes),
        ];
        let heads = [
            "",
            "cores",
            "commands/s",
            "in/s",
            "out/s",
            "channels",
            "memory",
        ];
        table(out, &heads, [cells].into_iter());
    }
    for server in &report.servers {
        let name = escape(&server.name);
        listed(
            out,
            &format!("Counters of {name} within the measurement"),
            &server.counters,
        );
        listed(out, &format!("Gauges of {name} at its end"), &server.gauges);
    }
}

/// A table that is folded away; nothing if it is empty. `title` is escaped.
fn listed(out: &mut String, title: &str, values: &BTreeMap<String, f64>) {
    if values.is_empty() {
        return;
    }
    let _ = write!(out, "<details><summary>{title}</summary>");
    let rows = values.iter();
    table(
        out,
        &["", ""],
        rows.map(|(name, value)| vec![escape(name), digits(*value)]),
    );
    out.push_str("</details>");
}
