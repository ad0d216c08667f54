//! The result as one page: nothing is fetched, nothing is run.

use std::collections::BTreeMap;
use std::fmt::Write;

use time::OffsetDateTime;
use time::macros::format_description;

use super::charts::{Chart, Series, bars};
use super::units::{bytes, count, digits, ms, percent};
use super::{Latency, Outcome, Report, Row};

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

/// The page.
pub fn render(report: &Report) -> String {
    let name = escape(&report.scenario.name);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{name}: load test</title><style>\n{}</style></head><body>\n",
        include_str!("page.css")
    );
    head(&mut out, report);
    tiles(&mut out, report);
    thresholds(&mut out, report);
    latencies(&mut out, report);
    out.push_str("<h2>Charts</h2>\n<div class=\"charts\">");
    charts(&mut out, report);
    out.push_str("</div>\n");
    servers(&mut out, report);
    details(&mut out, report);
    out.push_str("</body></html>\n");
    out
}

/// Text as it may stand in a page.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn head(out: &mut String, report: &Report) {
    let scenario = &report.scenario;
    let (class, verdict) = match report.outcome() {
        Outcome::Good if report.thresholds.is_empty() => ("good", "every delivery was right"),
        Outcome::Good => ("good", "every delivery was right, every threshold holds"),
        Outcome::Missed => ("bad", "a threshold was missed"),
        Outcome::Wrong => ("bad", "deliveries were wrong"),
    };
    let _ = write!(
        out,
        "<h1>{}</h1><p class=\"soft\">{}</p><p class=\"verdict {class}\">{verdict}</p>",
        escape(&scenario.name),
        escape(&scenario.about)
    );
    for breach in &report.breaches {
        let _ = write!(
            out,
            "<p class=\"bad\"><b>{} × {}</b></p><pre class=\"box\">{}</pre>",
            count(breach.count),
            escape(&breach.kind),
            escape(&breach.examples.join("\n"))
        );
    }
    for warning in &report.warnings {
        let _ = write!(out, "<p class=\"warn\">Warning: {}.</p>", escape(warning));
    }
}

fn tiles(out: &mut String, report: &Report) {
    let mut tiles = Vec::new();
    if report.rate_per_s > 0.0 {
        tiles.push((digits(report.rate_per_s), "deliveries a second"));
    }
    if let Some(latency) = report.latency() {
        let is_trip = report.round_trip.is_some();
        let names = match is_trip {
            true => ["round trip, median", "round trip, 99 %"],
            false => ["one way, median", "one way, 99 %"],
        };
        tiles.push((ms(latency.p50_ms), names[0]));
        tiles.push((ms(latency.p99_ms), names[1]));
    }
    if let Some(seconds) = report.storm.as_ref().and_then(|it| it.all_back_s) {
        tiles.push((format!("{} s", digits(seconds)), "until all are back"));
    }
    tiles.push((count(report.sockets), "sockets"));
    tiles.push((count(report.errors_total()), "errors"));
    tiles.push((count(report.counts.lost), "lost"));
    if let Some(cpu) = report.cpu_us_per_message {
        tiles.push((format!("{} µs", digits(cpu)), "server CPU a delivery"));
    }
    if let Some(rss) = report.rss_per_socket {
        tiles.push((bytes(rss), "server memory a socket"));
    }
    out.push_str("<div class=\"tiles\">");
    for (value, name) in tiles {
        let _ = write!(out, "<div><b>{value}</b><span>{name}</span></div>");
    }
    out.push_str("</div>\n");
}

fn thresholds(out: &mut String, report: &Report) {
    if report.thresholds.is_empty() {
        return;
    }
    let rows = report.thresholds.iter().map(|it| {
        let found = it.found.map_or("not measured".to_owned(), digits);
        let word = match it.met {
            true => "<span class=\"good\">holds</span>",
            false => "<span class=\"bad\">missed</span>",
        };
        vec![escape(&it.key), found, digits(it.limit), word.to_owned()]
    });
    out.push_str("<h2>Thresholds</h2>");
    table(out, &["", "measured", "limit", ""], rows);
}

fn latencies(out: &mut String, report: &Report) {
    let all = [
        ("round trip", &report.round_trip),
        ("one way", &report.one_way),
        ("ack", &report.ack),
        ("connect, before the measurement", &report.connect_setup),
        ("connect", &report.connect),
        ("register", &report.register),
        ("visit", &report.visit),
    ];
    let all = all
        .iter()
        .filter_map(|(name, it)| Some((*name, it.as_ref()?)));
    let storm = report.storm.as_ref().and_then(|it| it.back.as_ref());
    let all: Vec<_> = all
        .chain(storm.map(|it| ("back after the storm", it)))
        .collect();
    if all.is_empty() {
        return;
    }
    let rows = all.into_iter().map(|(name, it)| {
        let times = [
            it.p50_ms, it.p90_ms, it.p99_ms, it.p999_ms, it.max_ms, it.mean_ms,
        ];
        let mut row = vec![name.to_owned()];
        row.extend(times.map(ms));
        row.push(count(it.count));
        row
    });
    out.push_str("<h2>Latency</h2>");
    let heads = ["", "p50", "p90", "p99", "p99.9", "max", "mean", "count"];
    table(out, &heads, rows);
}

fn charts(out: &mut String, report: &Report) {
    let warm_up = report.scenario.warm_up.as_secs_f64();
    let over_time = |title: &'static str, format: fn(f64) -> String, series: Vec<Series>| {
        Chart {
            title,
            x_label: "seconds",
            x_marks: &[],
            warm_up,
            format,
            is_binary: title.starts_with("Memory"),
            series,
        }
        .render()
    };
    out.push_str(&percentiles(report));
    let one = |name: &str, value: &dyn Fn(&Row) -> Option<f64>| series(report, name, value);
    if report.rate_per_s > 0.0 {
        let rate = one("deliveries", &|row| Some(row.delivered as f64));
        out.push_str(&over_time("Deliveries a second", digits, vec![rate]));
    }
    let latency = vec![
        one("99 %", &|row| row.p99_ms),
        one("median", &|row| row.p50_ms),
    ];
    out.push_str(&over_time("Latency of each second", ms, latency));
    let mut cores = vec![one("load generator", &|row| Some(row.generator_cores))];
    let mut memory = Vec::new();
    for (place, server) in report.servers.iter().enumerate() {
        cores.push(one(&server.name, &|row| {
            row.server_cores.get(place).copied().flatten()
        }));
        memory.push(one(&server.name, &|row| {
            row.server_rss
                .get(place)
                .copied()
                .flatten()
                .map(|it| it as f64)
        }));
    }
    out.push_str(&over_time("CPU, cores", digits, cores));
    out.push_str(&over_time("Memory of the servers", bytes, memory));
    let connected = one("sockets", &|row| Some(row.connected as f64));
    out.push_str(&over_time(
        "Sockets that are ready",
        digits,
        vec![connected],
    ));
    let mut reasons = Vec::new();
    for (what, table) in [
        ("", &report.errors),
        ("provoked: ", &report.expected),
        ("", &report.closes),
        ("connect: ", &report.connect_failures),
        ("not sent: ", &report.unsent),
    ] {
        reasons.extend(
            table
                .iter()
                .map(|(name, times)| (format!("{what}{name}"), *times)),
        );
    }
    reasons.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    out.push_str(&bars("Errors by reason", &reasons, count));
}

fn series(report: &Report, name: &str, value: &dyn Fn(&Row) -> Option<f64>) -> Series {
    let rows = report.timeline.iter();
    Series {
        name: name.to_owned(),
        points: rows
            .map(|row| (row.second as f64 + 1.0, value(row)))
            .collect(),
    }
}

fn percentiles(report: &Report) -> String {
    let line = |name: &str, latency: &Option<Latency>| {
        let latency = latency.as_ref()?;
        // Beyond one in all of them there is nothing to tell apart.
        let least = 1.0 / latency.count as f64;
        let place = |percentile: f64| {
            let left = (1.0 - percentile / 100.0).max(least);
            (-left.log10()).max(0.0)
        };
        let points = latency.curve.iter();
        Some(Series {
            name: name.to_owned(),
            points: points.map(|(it, ms)| (place(*it), Some(*ms))).collect(),
        })
    };
    let series = [
        line("round trip", &report.round_trip),
        line("one way", &report.one_way),
        line("ack", &report.ack),
    ];
    Chart {
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

fn servers(out: &mut String, report: &Report) {
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

fn details(out: &mut String, report: &Report) {
    let environment = &report.environment;
    let counts = &report.counts;
    let here = if environment.shares_machine {
        ", with a gateway on it"
    } else {
        ""
    };
    let rows = [
        ("gateways", report.gateways.join(", ")),
        ("version of the gateways", environment.gateways.join(", ")),
        ("version of the load test", environment.loadtest.clone()),
        (
            "machine of the load test",
            format!(
                "{} cores, {}, Linux {}{here}",
                environment.cores, environment.processor, environment.kernel
            ),
        ),
        ("started", started(report.started_unix_s)),
        (
            "run",
            format!(
                "sockets ready in {} s, measured {} s{}",
                digits(report.setup_s),
                digits(report.measured_s),
                if report.ended_early {
                    ", ended early"
                } else {
                    ""
                }
            ),
        ),
        (
            "messages",
            format!(
                "{} sent, {} delivered, {} lost, {} cut with a connection",
                count(counts.messages_sent),
                count(counts.messages_delivered),
                count(counts.lost),
                count(counts.cut)
            ),
        ),
        (
            "best effort",
            format!(
                "{} of {} partials, {} of {} typing frames delivered",
                count(counts.partials_delivered),
                count(counts.partials_sent),
                count(counts.typing_delivered),
                count(counts.typing_sent)
            ),
        ),
    ];
    out.push_str("<h2>Run and environment</h2><div class=\"box\"><table>");
    for (name, value) in rows {
        let value = escape(&value);
        let _ = write!(
            out,
            "<tr><td>{name}</td><td class=\"wide\">{value}</td></tr>"
        );
    }
    out.push_str("</table></div><h2>Scenario</h2>");
    let text = toml::to_string(&report.scenario).unwrap_or_default();
    let _ = write!(out, "<pre class=\"box\">{}</pre>", escape(&text));
}

fn started(unix_s: u64) -> String {
    let seconds = i64::try_from(unix_s).unwrap_or(0);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let text = at.format(format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second] UTC"
    ));
    text.unwrap_or_default()
}

/// Cells are escaped.
fn table(out: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    out.push_str("<div class=\"box\"><table>");
    if heads.iter().any(|it| !it.is_empty()) {
        let heads: String = heads.iter().map(|it| format!("<th>{it}</th>")).collect();
        let _ = write!(out, "<tr>{heads}</tr>");
    }
    for row in rows {
        let cells: String = row.iter().map(|it| format!("<td>{it}</td>")).collect();
        let _ = write!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Breach;
    use crate::report::tests::sample;

    #[test]
    fn nothing_is_fetched_and_nothing_is_run() {
        let page = render(&sample()).to_lowercase();
        for bad in [
            "http://", "https://", "src=", "href=", "@import", "url(", "<script", "onload",
        ] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert!(page.contains("prefers-color-scheme: dark"));
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(page.matches("<svg").count() >= 4);
    }

    #[test]
    fn what_a_gateway_said_is_only_text() {
        let mut report = sample();
        report.breaches = vec![Breach {
            kind: "wrong_body".to_owned(),
            count: 1,
            examples: vec!["<script>alert('x')</script>".to_owned()],
        }];
        report.errors.insert("<img src=x>".to_owned(), 3);
        report.servers[0].name = "<b>".to_owned();
        let page = render(&report);
        for bad in ["<script>", "<img", "<b>\"", "alert('"] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert!(page.contains("&lt;script&gt;"));
    }
}
