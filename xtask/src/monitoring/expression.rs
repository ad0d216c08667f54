//! Every expression of the dashboards and the rules.

use super::dashboards::DASHBOARDS;
use super::groups;

/// An expression and the place where it stands.
#[derive(Debug)]
pub(crate) struct Expression {
    /// The panel or the rule.
    pub place: String,
    /// PromQL, without variables of Grafana outside of strings.
    pub text: String,
}

/// What stands for Grafana's variable in a check.
const RATE_INTERVAL: &str = "5m";

/// All of them.
pub(crate) fn expressions() -> Vec<Expression> {
    let mut all = Vec::new();
    for dashboard in DASHBOARDS {
        for panel in dashboard.panels {
            all.extend(panel.queries.iter().map(|(expr, _)| Expression {
                place: format!("{}: {}", dashboard.title, panel.title),
                text: expr.replace("$__rate_interval", RATE_INTERVAL),
            }));
        }
    }
    for group in groups() {
        all.extend(group.recorded.into_iter().map(|rule| Expression {
            place: rule.record,
            text: rule.expr,
        }));
        all.extend(group.alerts.into_iter().map(|rule| Expression {
            place: rule.name.to_owned(),
            text: rule.expr,
        }));
    }
    all
}
