//! A scrape of `/metrics/tenants`, as Prometheus asks for it (gzip) and uncompressed.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use loadtest::process::cpu_of;

use super::open::OpenGateway;
use super::options::{UsageOptions, verdict};
use crate::stats::{median, summary};

/// What a scrape may take, milliseconds.
const SCRAPE_MS_MAX: f64 = 200.0;
const LAG: &str = "t2b_runtime_lag_seconds";
const PATH: &str = "/metrics/tenants";
/// Sockets that ask for something between two scrapes.
const ASKING: usize = 500;

/// Scrapes a gateway in turns with requests of its tenants, and prints a table.
pub(super) fn run(options: &UsageOptions) -> Result<()> {
    let mut gateway = OpenGateway::start(options.tenants, None, "")?;
    let lag_before = gateway.metric(LAG)?;
    let (mut plain, mut compressed) = (ScrapeTimes::default(), ScrapeTimes::default());
    let mut last = BTreeMap::new();
    for round in 0..options.scrapes {
        let (from, count) = (round * ASKING, gateway.sockets.len());
        for index in (from..from + ASKING.min(count)).map(|index| index % count) {
            let socket = &mut gateway.sockets[index];
            socket.send(r#"{"type":"list_bots"}"#)?;
            socket.expect(r#""bots_list""#)?;
        }
        let (_, page) = plain.take(&gateway, "identity")?;
        last = risen(&last, &String::from_utf8(page)?)?;
        let (head, _) = compressed.take(&gateway, "gzip")?;
        ensure!(
            head.to_ascii_lowercase().contains("content-encoding: gzip"),
            "not compressed: {head}"
        );
    }
    println!(
        "| {PATH}, {} tenants | lines | bytes | ms, median (min..max) | gateway CPU ms |",
        options.tenants
    );
    println!("| --- | --- | --- | --- | --- |");
    for (name, times) in [("plain", &plain), ("gzip", &compressed)] {
        println!(
            "| {name} | {} | {} | {} | {} |",
            last.len(),
            times.bytes,
            summary(&times.ms, 1),
            summary(&times.cpu_ms, 1)
        );
    }
    let lag = gateway.metric(LAG)?;
    println!(
        "\nThe gateway's 50 ms timer was late by up to {:.0} ms during the scrapes, and {:.0} ms while the sockets were opened.",
        1e3 * lag,
        1e3 * lag_before
    );
    let holds = median(&compressed.ms) <= SCRAPE_MS_MAX;
    println!(
        "A scrape with gzip takes at most {SCRAPE_MS_MAX:.0} ms: {}. No counter went back in {} scrapes.\n",
        verdict(holds),
        options.scrapes
    );
    Ok(())
}

/// Scrapes of one kind.
#[derive(Default)]
struct ScrapeTimes {
    bytes: usize,
    ms: Vec<f64>,
    cpu_ms: Vec<f64>,
}

impl ScrapeTimes {
    fn take(&mut self, gateway: &OpenGateway, encodings: &str) -> Result<(String, Vec<u8>)> {
        let pid = gateway.process.id();
        let (cpu, start) = (cpu_of(pid)?, Instant::now());
        let page = gateway.page(PATH, encodings)?;
        self.ms.push(start.elapsed().as_secs_f64() * 1e3);
        self.cpu_ms.push((cpu_of(pid)? - cpu).as_secs_f64() * 1e3);
        self.bytes = page.1.len();
        Ok(page)
    }
}

/// The series of a page. Errors: one that was there before is missing, or a counter went back.
fn risen(before: &BTreeMap<String, f64>, page: &str) -> Result<BTreeMap<String, f64>> {
    let lines = page.lines().filter(|line| line.starts_with("t2b_"));
    let series = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').context("a line without a value")?;
        Ok((name.to_owned(), value.parse()?))
    });
    let now: BTreeMap<String, f64> = series.collect::<Result<_>>()?;
    for (name, old) in before {
        let new = now.get(name).with_context(|| format!("{name} is gone"))?;
        let is_counter = name.contains("_total{");
        ensure!(!is_counter || new >= old, "{name} fell from {old} to {new}");
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_falls_and_a_series_that_goes_are_found() {
        let page =
            "# TYPE t2b_a_total counter\nt2b_a_total{tenant=\"x\"} 2\nt2b_b{tenant=\"x\"} 5\n";
        let first = risen(&BTreeMap::new(), page).unwrap();
        assert_eq!(first.len(), 2);
        let said = |page| risen(&first, page).unwrap_err().to_string();
        let fallen = "t2b_a_total{tenant=\"x\"} 1\nt2b_b{tenant=\"x\"} 5";
        assert!(said(fallen).contains("fell from 2 to 1"));
        let gone = "t2b_a_total{tenant=\"x\"} 2";
        assert!(said(gone).contains("is gone"));
        let gauge = "t2b_a_total{tenant=\"x\"} 2\nt2b_b{tenant=\"x\"} 4";
        assert!(risen(&first, gauge).is_ok());
    }
}
