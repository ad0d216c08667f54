//! Compares two results.

use std::fmt::Write;

use crate::report::RunReport;
use crate::report::units::digits;

/// One figure of both.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedFigure {
    /// What it is, with its unit.
    pub name: &'static str,
    /// In the first result.
    pub before: f64,
    /// In the second.
    pub after: f64,
    /// The second in terms of the first.
    pub ratio: f64,
    /// By which share it is worse; below zero: better.
    pub worse: f64,
}

/// Which way is better.
#[derive(Clone, Copy)]
enum BetterWay {
    Higher,
    Lower,
}

/// A figure: its name, which way is better, and where it stands.
type FigureSpec = (&'static str, BetterWay, fn(&RunReport) -> Option<f64>);

const FIGURES: &[FigureSpec] = &[
    ("deliveries/s", BetterWay::Higher, |it| {
        Some(it.rate_per_s).filter(|rate| *rate > 0.0)
    }),
    ("p50 ms", BetterWay::Lower, |it| Some(it.latency()?.p50_ms)),
    ("p90 ms", BetterWay::Lower, |it| Some(it.latency()?.p90_ms)),
    ("p99 ms", BetterWay::Lower, |it| Some(it.latency()?.p99_ms)),
    ("p99.9 ms", BetterWay::Lower, |it| {
        Some(it.latency()?.p999_ms)
    }),
    ("ack p99 ms", BetterWay::Lower, |it| {
        Some(it.ack.as_ref()?.p99_ms)
    }),
    ("connect p99 ms", BetterWay::Lower, |it| {
        Some(it.connects()?.p99_ms)
    }),
    ("all back s", BetterWay::Lower, |it| {
        it.storm.as_ref()?.all_back_s
    }),
    ("CPU µs a delivery", BetterWay::Lower, |it| {
        it.cpu_us_per_message
    }),
    ("memory B a socket", BetterWay::Lower, |it| {
        it.rss_per_socket
    }),
    ("errors", BetterWay::Lower, |it| {
        Some(it.errors_total() as f64)
    }),
    ("lost", BetterWay::Lower, |it| Some(it.counts.lost as f64)),
    ("not sent", BetterWay::Lower, |it| {
        Some(it.unsent_total() as f64)
    }),
];

/// Every figure that both results have.
pub fn lines(before: &RunReport, after: &RunReport) -> Vec<ComparedFigure> {
    let both = FIGURES.iter().filter_map(|(name, better, figure)| {
        let (before, after) = (figure(before)?, figure(after)?);
        let ratio = if before == after { 1.0 } else { after / before };
        let worse = match better {
            BetterWay::Higher => before / after - 1.0,
            BetterWay::Lower => ratio - 1.0,
        };
        Some(ComparedFigure {
            name,
            before,
            after,
            ratio,
            worse: if before == after { 0.0 } else { worse },
        })
    });
    both.collect()
}

/// A table of them; those that are worse by more than `tolerance` are marked.
pub fn render(lines: &[ComparedFigure], tolerance: f64) -> String {
    let mut out = format!("{:<20}{:>12}{:>12}{:>9}\n", "", "before", "after", "ratio");
    for line in lines {
        let (before, after) = (digits(line.before), digits(line.after));
        let ratio = match line.ratio.is_finite() {
            true => format!("{:.3}", line.ratio),
            false => "from 0".to_owned(),
        };
        let mark = if line.worse > tolerance {
            "  WORSE"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "{:<20}{before:>12}{after:>12}{ratio:>9}{mark}",
            line.name
        );
    }
    out
}

/// Why the two should not be compared, if there is a reason.
pub fn differences(before: &RunReport, after: &RunReport) -> Vec<String> {
    let mut found = Vec::new();
    let plain = |report: &RunReport| {
        let mut scenario = report.scenario.clone();
        scenario.thresholds = Default::default();
        scenario
    };
    if plain(before) != plain(after) {
        found.push("the scenarios differ".to_owned());
    }
    let (a, b) = (&before.environment, &after.environment);
    if (a.cores, &a.processor) != (b.cores, &b.processor) {
        found.push("the machines differ".to_owned());
    }
    for (report, name) in [(before, "first"), (after, "second")] {
        let warnings = report.warnings.iter();
        found.extend(warnings.map(|warning| format!("in the {name}: {warning}")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    fn line(lines: &[ComparedFigure], name: &str) -> ComparedFigure {
        lines.iter().find(|it| it.name == name).cloned().unwrap()
    }

    #[test]
    fn the_same_twice_is_never_worse() {
        let lines = lines(&sample(), &sample());
        assert!(lines.len() >= 5);
        assert!(lines.iter().all(|it| it.worse == 0.0 && it.ratio == 1.0));
        assert!(!render(&lines, 0.0).contains("WORSE"));
    }

    #[test]
    fn a_lower_rate_and_a_longer_latency_are_worse() {
        let mut after = sample();
        after.rate_per_s = 800.0;
        if let Some(trip) = &mut after.round_trip {
            trip.p99_ms *= 1.5;
            trip.p50_ms *= 0.5;
        }
        let found = lines(&sample(), &after);
        let rate = line(&found, "deliveries/s");
        assert_eq!((rate.ratio, rate.worse), (0.8, 0.25));
        assert_eq!(line(&found, "p99 ms").worse, 0.5);
        assert_eq!(line(&found, "p50 ms").worse, -0.5);
        assert_eq!(render(&found, 0.3).matches("WORSE").count(), 1);
        assert_eq!(render(&found, 0.1).matches("WORSE").count(), 2);
    }

    #[test]
    fn an_error_where_there_was_none_is_worse_at_any_tolerance() {
        let mut after = sample();
        after.errors.insert("internal".to_owned(), 1);
        let found = lines(&sample(), &after);
        assert!(line(&found, "errors").worse > 1e9);
    }

    #[test]
    fn other_scenarios_are_said() {
        let mut after = sample();
        after.scenario.message_bytes += 1;
        assert_eq!(differences(&sample(), &after), ["the scenarios differ"]);
    }
}
