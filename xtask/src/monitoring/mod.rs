//! Dashboards and rules for operators, made from tables: `deploy/grafana/` and `deploy/prometheus/`.
//!
//! | file | holds |
//! | --- | --- |
//! | `dashboards/` | the tables of panels: **extend these** for a new panel or dashboard |
//! | `panel.rs`, `grafana.rs` | what a panel is, and how Grafana reads it |
//! | `objectives.rs` | the service level objectives: **extend this** for a new one |
//! | `burn_rules.rs` | what is recorded of each objective, and the alerts on its error budget |
//! | `cause_rules.rs` | the alerts on causes, and what they need recorded |
//! | `rule.rs` | what a rule is, and how Prometheus reads it |
//! | `expression.rs` | every expression of all of them, with the place where it stands |
//! | `promql.rs` | the names that an expression uses |
//!
//! `tidy/expressions.rs` checks that each expression uses only names of the table of metrics and of recording
//! rules, and `tidy/alerts.rs` that each alert has a runbook and tests.

mod burn_rules;
mod cause_rules;
mod dashboards;
mod expression;
mod grafana;
mod objectives;
mod panel;
mod promql;
mod rule;

pub(crate) use expression::{Expression, expressions};
pub(crate) use objectives::objectives_markdown;
pub(crate) use promql::ExpressionNames;
pub(crate) use rule::{AlertRule, RUNBOOKS, RecordingRule, RuleGroup, rules_yaml};

/// The groups of rules, in the order in which they stand in their file.
pub(crate) fn groups() -> Vec<RuleGroup> {
    vec![
        burn_rules::recorded(),
        burn_rules::budgets(),
        burn_rules::alerts(),
        cause_rules::recorded(),
        cause_rules::alerts(),
    ]
}

/// The files that Grafana and Prometheus read, by their paths.
pub(crate) fn files() -> Vec<(&'static str, String)> {
    let dashboards = dashboards::DASHBOARDS.iter();
    let dashboards = dashboards.map(|dashboard| (dashboard.path, grafana::json(dashboard)));
    let rules = ("deploy/prometheus/rules.yaml", rules_yaml(&groups()));
    dashboards.chain([rules]).collect()
}
