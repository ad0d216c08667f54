//! What the servers, Redis and the load generator used.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::markup::{escape, table};
use crate::report::RunReport;
use crate::report::units::{bytes, digits, percent};
use crate::servers::RedisLoad;

/// The tables.
pub(super) fn render(out: &mut String, report: &RunReport) {
    out.push_str("<h2>Servers</h2>");
    processes(out, report);
    if let Some(load) = &report.redis {
        redis(out, load);
    }
    for server in &report.servers {
        let name = escape(&server.name);
        let title = format!("Counters of {name} within the measurement");
        listed(out, &title, &server.counters);
        listed(out, &format!("Gauges of {name} at its end"), &server.gauges);
    }
}

fn processes(out: &mut String, report: &RunReport) {
    let some = |value: Option<f64>, format: fn(f64) -> String| value.map_or("–".to_owned(), format);
    let servers = report.servers.iter().map(|it| {
        vec![
            escape(&it.name),
            some(it.cores, digits),
            some(it.rss_max.map(|rss| rss as f64), bytes),
            some(it.switches_per_s, digits),
            some(it.preemptions_per_s, digits),
        ]
    });
    let busy = report.generator.busy.iter().map(|it| percent(*it));
    let busy: Vec<_> = busy.collect();
    let mut generator = vec![format!("load generator: {} by thread", busy.join(", "))];
    generator.resize(5, String::new());
    let heads = [
        "",
        "cores",
        "memory at most",
        "context switches/s",
        "preemptions/s",
    ];
    table(out, &heads, servers.chain([generator]));
}

fn redis(out: &mut String, load: &RedisLoad) {
    let cells = vec![
        "redis".to_owned(),
        digits(load.cores),
        digits(load.commands_per_s),
        bytes(load.in_bytes_per_s),
        bytes(load.out_bytes_per_s),
        digits(load.channels),
        bytes(load.memory_bytes),
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
