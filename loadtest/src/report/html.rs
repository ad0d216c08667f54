//! The result as one HTML page. It loads nothing and runs no script.
//!
//! | file | holds |
//! | --- | --- |
//! | `curves.rs` | the charts of a run |
//! | `servers.rs` | what the servers, Redis and the load generator used |
//! | `details.rs` | the run, its environment and its scenario |
//! | `markup.rs` | text and tables in HTML |

mod curves;
mod details;
pub(super) mod markup;
mod servers;

use std::fmt::Write;

use markup::{escape, table};

use super::units::{bytes, count, digits, ms};
use super::{RunOutcome, RunReport};

/// The page.
pub fn render(report: &RunReport) -> String {
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
    curves::render(&mut out, report);
    out.push_str("</div>\n");
    servers::render(&mut out, report);
    details::render(&mut out, report);
    out.push_str("</body></html>\n");
    out
}

fn head(out: &mut String, report: &RunReport) {
    let scenario = &report.scenario;
    let (class, verdict) = match report.outcome() {
        RunOutcome::Good if report.thresholds.is_empty() => ("good", "every delivery was right"),
        RunOutcome::Good => ("good", "every delivery was right, every threshold holds"),
        RunOutcome::Missed => ("bad", "a threshold was missed"),
        RunOutcome::Wrong => ("bad", "deliveries were wrong"),
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

fn tiles(out: &mut String, report: &RunReport) {
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

fn thresholds(out: &mut String, report: &RunReport) {
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

fn latencies(out: &mut String, report: &RunReport) {
    let all = report.latencies();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::BreachCount;
    use crate::report::sample::sample;

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
        report.breaches = vec![BreachCount {
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
