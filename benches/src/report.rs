//! The result of a comparison, as tables in Markdown.

use std::fmt::Write;

use crate::load::RoundUsage;
use crate::stats::{ValueSpread, median, summary};

/// One thing that is measured of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundFigure {
    /// Messages a second.
    Rate,
    /// CPU time of the servers for a message.
    Cpu,
    /// Median round trip.
    P50,
    /// 99th percentile of the round trips.
    P99,
    /// 99.9th percentile of the round trips.
    P999,
    /// Round trips timed.
    Trips,
    /// Cores of the servers.
    ServerCores,
    /// Cores of the generator.
    LoadCores,
    /// Cores of everybody else.
    ForeignCores,
    /// How late the generator sent.
    Late,
}

struct FigureText {
    figure: RoundFigure,
    name: &'static str,
    digits: usize,
    /// Whether a ratio of it says something.
    compared: bool,
    of: fn(&RoundUsage) -> f64,
}

const FIGURES: &[FigureText] = &[
    described(RoundFigure::Rate, "messages/s", 0, true, |it| {
        it.messages_per_s
    }),
    described(RoundFigure::Cpu, "server CPU µs a message", 2, true, |it| {
        it.cpu_us
    }),
    described(RoundFigure::P50, "round trip p50 µs", 0, true, |it| {
        it.p50_us
    }),
    described(RoundFigure::P99, "round trip p99 µs", 0, true, |it| {
        it.p99_us
    }),
    described(RoundFigure::P999, "round trip p99.9 µs", 0, true, |it| {
        it.p999_us
    }),
    described(RoundFigure::Trips, "round trips timed", 0, false, |it| {
        it.trips as f64
    }),
    described(RoundFigure::Late, "generator late p99 µs", 0, false, |it| {
        it.late_p99_us
    }),
    described(RoundFigure::ServerCores, "server cores", 2, false, |it| {
        it.server_cores
    }),
    described(RoundFigure::LoadCores, "load cores", 2, false, |it| {
        it.load_cores
    }),
    described(RoundFigure::ForeignCores, "foreign cores", 2, false, |it| {
        it.foreign_cores
    }),
];

const fn described(
    figure: RoundFigure,
    name: &'static str,
    digits: usize,
    compared: bool,
    of: fn(&RoundUsage) -> f64,
) -> FigureText {
    FigureText {
        figure,
        name,
        digits,
        compared,
        of,
    }
}

/// What a ratio shall be.
#[derive(Debug, Clone, Copy)]
pub enum RatioBound {
    /// At most.
    Most(f64),
    /// At least.
    Least(f64),
}

/// A figure whose ratio shall keep to a bound.
pub type WantedRatio = (RoundFigure, RatioBound);

/// Above this share of the median a spread is said aloud.
pub(crate) const SPREAD_MAX: f64 = 0.10;

/// Rounds of two sides that were measured one after the other.
pub type NeighbourRounds = (RoundUsage, RoundUsage);

/// The ratios second to first of one figure.
pub(crate) fn ratios(figure: RoundFigure, neighbours: &[NeighbourRounds]) -> Vec<f64> {
    let described = FIGURES.iter().find(|it| it.figure == figure);
    let of = described.map_or(FIGURES[0].of, |it| it.of);
    let ratio = |(first, second): &NeighbourRounds| of(second) / of(first);
    neighbours.iter().map(ratio).collect()
}

/// A table of all figures.
pub fn table(first: &str, second: &str, neighbours: &[NeighbourRounds]) -> String {
    let mut text = format!(
        "| figure, median (min..max) | {first} | {second} | second / first | spread (middle half) |\n\
         | --- | --- | --- | --- | --- |\n"
    );
    for FigureText {
        figure,
        name,
        digits,
        compared,
        of,
    } in FIGURES
    {
        let firsts: Vec<f64> = neighbours.iter().map(|pair| of(&pair.0)).collect();
        let seconds: Vec<f64> = neighbours.iter().map(|pair| of(&pair.1)).collect();
        if firsts.iter().chain(&seconds).all(|value| *value == 0.0) {
            continue;
        }
        let [ratio, spread] = match compared {
            true => {
                let ratios = ratios(*figure, neighbours);
                [summary(&ratios, 2), shown(&ratios)]
            }
            false => ["–".to_owned(), "–".to_owned()],
        };
        let [firsts, seconds] = [firsts, seconds].map(|values| summary(&values, *digits));
        let _ = writeln!(
            text,
            "| {name} | {firsts} | {seconds} | {ratio} | {spread} |"
        );
    }
    text
}

/// One sentence: what was wanted, what came, and whether the spread is wide.
pub fn verdict((figure, bound): WantedRatio, neighbours: &[NeighbourRounds]) -> String {
    let ratios = ratios(figure, neighbours);
    let ratio = median(&ratios);
    let (sign, wanted, holds) = match bound {
        RatioBound::Most(most) => ("≤", most, ratio <= most),
        RatioBound::Least(least) => ("≥", least, ratio >= least),
    };
    let described = FIGURES.iter().find(|it| it.figure == figure);
    let name = described.map_or("", |it| it.name);
    let verdict = if holds { "reached" } else { "MISSED" };
    let wide = match is_wide(figure, neighbours) {
        true => " Above 10 %: not to be trusted to the digit.",
        false => "",
    };
    format!(
        "{name}: ratio {ratio:.2}, wanted {sign} {wanted:.2}: {verdict}. Spread {}.{wide}",
        shown(&ratios)
    )
}

/// Whether the ratios of a figure lie further apart than [`SPREAD_MAX`].
pub fn is_wide(figure: RoundFigure, neighbours: &[NeighbourRounds]) -> bool {
    ValueSpread::of(&ratios(figure, neighbours)).full > SPREAD_MAX
}

fn shown(ratios: &[f64]) -> String {
    let ValueSpread { full, middle } = ValueSpread::of(ratios);
    format!("{:.0} % ({:.0} %)", 100.0 * full, 100.0 * middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbours(ratios: &[f64]) -> Vec<NeighbourRounds> {
        let round = |cpu_us| RoundUsage {
            messages_per_s: 1000.0,
            messages_in_all: 1000,
            cpu_us,
            trips: 10,
            p50_us: 1.0,
            p99_us: 2.0,
            p999_us: 3.0,
            late_p99_us: 0.0,
            server_cores: 1.0,
            load_cores: 1.0,
            foreign_cores: 0.0,
        };
        let pair = |ratio: &f64| (round(2.0), round(2.0 * ratio));
        ratios.iter().map(pair).collect()
    }

    #[test]
    fn a_verdict_is_of_the_median_ratio() {
        let rounds = neighbours(&[1.25, 1.20, 1.26]);
        let said = verdict((RoundFigure::Cpu, RatioBound::Most(1.25)), &rounds);
        assert_eq!(
            said,
            "server CPU µs a message: ratio 1.25, wanted ≤ 1.25: reached. Spread 5 % (1 %)."
        );
        let said = verdict((RoundFigure::Cpu, RatioBound::Least(1.3)), &rounds);
        assert!(said.contains("≥ 1.30: MISSED"), "{said}");
        let said = verdict(
            (RoundFigure::Cpu, RatioBound::Most(1.25)),
            &neighbours(&[1.0, 1.2, 1.3]),
        );
        assert!(said.ends_with("not to be trusted to the digit."), "{said}");
    }

    #[test]
    fn a_table_leaves_out_what_was_not_measured() {
        let table = table("raw relay", "gateway", &neighbours(&[1.5]));
        assert!(
            table.contains(
                "| server CPU µs a message | 2.00 (2.00..2.00) | 3.00 (3.00..3.00) | 1.50"
            )
        );
        assert!(!table.contains("late"));
    }
}
