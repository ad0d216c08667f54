//! What is recorded of each objective, and the alerts on its error budget.
//!
//! An alert fires while errors came faster than the budget allows, both within a long window, so that it is no
//! blip, and within a short one, so that it ends soon after the errors do. Source: the SRE workbook, chapter
//! 5, "multiwindow, multi-burn-rate alerts", with the row for one day that sloth adds.

use super::objectives::{OBJECTIVES, ServiceObjective};
use super::rule::{AlertRule, RecordingRule, RuleGroup};

/// How fast a budget may burn, and who is told if it burns faster.
struct BurnWindow {
    severity: &'static str,
    /// The long window, and the short one.
    windows: [&'static str; 2],
    /// The length of the long one, seconds.
    long_s: u32,
    /// How many times faster than the budget allows.
    factor: f64,
}

const WINDOWS: &[BurnWindow] = &[
    BurnWindow {
        severity: "page",
        windows: ["1h", "5m"],
        long_s: 3600,
        factor: 14.4,
    },
    BurnWindow {
        severity: "page",
        windows: ["6h", "30m"],
        long_s: 6 * 3600,
        factor: 6.0,
    },
    BurnWindow {
        severity: "ticket",
        windows: ["1d", "2h"],
        long_s: 24 * 3600,
        factor: 3.0,
    },
    BurnWindow {
        severity: "ticket",
        windows: ["3d", "6h"],
        long_s: 3 * 24 * 3600,
        factor: 1.0,
    },
];

/// Failed events within the long window that an alert needs at least. Fewer are a handful: one failure of a
/// hundred messages at night is above each burn rate.
const FAILED_MIN: u32 = 10;

/// All windows, the shortest first.
const RECORDED: &[&str] = &["5m", "30m", "1h", "2h", "6h", "1d", "3d"];

/// The failed events and all events of each objective over each window, and the share of the failed ones.
pub(super) fn recorded() -> RuleGroup {
    let of_objectives = OBJECTIVES.iter().flat_map(|objective| {
        let rule = |record: String, expr: String| RecordingRule {
            record,
            label: Some(("slo", objective.name)),
            expr,
        };
        RECORDED.iter().flat_map(move |window| {
            let errors = format!("t2b:sli_errors:rate{window}");
            let events = format!("t2b:sli_events:rate{window}");
            [
                rule(errors, objective.errors(window)),
                rule(events, objective.events(window)),
            ]
        })
    });
    let ratios = RECORDED.iter().map(|window| RecordingRule {
        record: format!("t2b:sli_error:ratio_rate{window}"),
        label: None,
        expr: format!("t2b:sli_errors:rate{window} / t2b:sli_events:rate{window}"),
    });
    group("t2b-sli", of_objectives.chain(ratios).collect())
}

/// How fast the budgets burn, and what is left of them.
pub(super) fn budgets() -> RuleGroup {
    let recorded = OBJECTIVES.iter().flat_map(|objective| {
        let ServiceObjective { name, budget, .. } = objective;
        let of = |series: &str| format!("{series}{{slo=\"{name}\"}}");
        let sum = |series: &str| format!("sum_over_time({}[30d])", of(series));
        let (errors, events) = ("t2b:sli_errors:rate5m", "t2b:sli_events:rate5m");
        let rule = |record: &str, expr: String| RecordingRule {
            record: record.to_owned(),
            label: Some(("slo", *name)),
            expr,
        };
        [
            rule(
                "t2b:slo_burn_rate:1h",
                format!("{} / {budget}", of("t2b:sli_error:ratio_rate1h")),
            ),
            // Without any events nothing of the budget is used.
            rule(
                "t2b:slo_error_budget:ratio",
                format!(
                    "1 - ({} / ({} > 0) or {} * 0) / {budget}",
                    sum(errors),
                    sum(events),
                    of(errors)
                ),
            ),
        ]
    });
    group("t2b-slo", recorded.collect())
}

/// The alerts on each objective.
pub(super) fn alerts() -> RuleGroup {
    let each = OBJECTIVES
        .iter()
        .flat_map(|objective| WINDOWS.iter().map(|window| alert(objective, window)));
    RuleGroup {
        name: "t2b-slo-alerts",
        recorded: Vec::new(),
        alerts: each.collect(),
    }
}

fn alert(objective: &ServiceObjective, burn: &BurnWindow) -> AlertRule {
    let ServiceObjective {
        name,
        alert,
        budget,
        promise,
        ..
    } = objective;
    let BurnWindow {
        severity,
        windows: [long, short],
        long_s,
        factor,
    } = burn;
    let of = |series: String| format!("{series}{{slo=\"{name}\"}}");
    let above = |window: &str| {
        let ratio = of(format!("t2b:sli_error:ratio_rate{window}"));
        format!("{ratio} > {factor} * {budget}")
    };
    let failed = of(format!("t2b:sli_errors:rate{long}"));
    AlertRule {
        name: alert,
        severity,
        labels: vec![("window", long)],
        expr: format!(
            "{} and {} and {failed} * {long_s} >= {FAILED_MIN}",
            above(long),
            above(short)
        ),
        hold: "1m",
        summary: format!(
            "{{{{ $labels.job }}}}: the error budget of {name} burns at more than {factor} times the allowed rate"
        ),
        description: format!(
            "{{{{ $value | humanizePercentage }}}} of events failed within {long}. The objective: {promise}."
        ),
    }
}

fn group(name: &'static str, recorded: Vec<RecordingRule>) -> RuleGroup {
    RuleGroup {
        name,
        recorded,
        alerts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_alert_compares_is_recorded() {
        for window in WINDOWS {
            for each in window.windows {
                assert!(RECORDED.contains(&each), "{each}");
            }
        }
    }

    #[test]
    fn a_long_window_is_as_long_as_it_says() {
        for BurnWindow {
            windows: [long, _],
            long_s,
            ..
        } in WINDOWS
        {
            let (count, unit) = long.split_at(long.len() - 1);
            let unit_s = if unit == "d" { 86_400 } else { 3600 };
            assert_eq!(count.parse::<u32>().unwrap() * unit_s, *long_s, "{long}");
        }
    }
}
