//! Expressions of dashboards and rules use only names that exist, and promtool reads them.
//!
//! A name is that of a metric of the table, of a histogram of it with `_bucket`, `_sum` or `_count`, of a metric
//! of tenants, or of a recording rule. A label is one of the metric, or one that Prometheus adds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use gateway::metrics::{MetricKind, TABLE};
use gateway::tenant_families;

use crate::monitoring::{
    Expression, ExpressionNames, RecordingRule, RuleGroup, expressions, groups, rules_yaml,
};

/// Labels that Prometheus adds to what it scrapes.
const SCRAPED: &[&str] = &["job", "instance"];

/// One sentence for each expression with a name that is not there, or that promtool does not read.
pub(super) fn findings(root: &Path) -> anyhow::Result<Vec<String>> {
    let expressions = expressions();
    let mut findings = unknown_names(&expressions, &known_names());
    findings.extend(unreadable(root, &expressions)?);
    Ok(findings)
}

/// The series that there are, each with its labels; of a recording rule any.
fn known_names() -> BTreeMap<String, Option<BTreeSet<&'static str>>> {
    let mut known = BTreeMap::new();
    for row in TABLE {
        let endings: &[&str] = match row.kind {
            MetricKind::Counter | MetricKind::Gauge => &[""],
            MetricKind::Histogram => &["_bucket", "_sum", "_count"],
        };
        for ending in endings {
            let mut labels: BTreeSet<&str> = row.labels.iter().chain(SCRAPED).copied().collect();
            labels.extend((*ending == "_bucket").then_some("le"));
            known.insert(format!("{}{ending}", row.name), Some(labels));
        }
    }
    for family in tenant_families() {
        let label = (!family.label.is_empty()).then_some(family.label);
        let labels = SCRAPED.iter().copied().chain(["tenant"]).chain(label);
        known.insert(family.name.to_owned(), Some(labels.collect()));
    }
    let recorded = groups().into_iter().flat_map(|group| group.recorded);
    known.extend(recorded.map(|rule| (rule.record, None)));
    known
}

fn unknown_names(
    expressions: &[Expression],
    known: &BTreeMap<String, Option<BTreeSet<&'static str>>>,
) -> Vec<String> {
    let mut findings = Vec::new();
    for Expression { place, text } in expressions {
        let names = match ExpressionNames::of(text) {
            Ok(names) => names,
            Err(error) => {
                findings.push(format!("{place}: {text}: {error}"));
                continue;
            }
        };
        let mut may_group: BTreeSet<&str> = BTreeSet::new();
        let mut groups_by_any = false;
        for (metric, labels) in &names.selectors {
            match known.get(metric) {
                None => findings.push(format!(
                    "{place}: {metric} is no metric and no recording rule"
                )),
                Some(None) => groups_by_any = true,
                Some(Some(own)) => {
                    may_group.extend(own);
                    let strange = labels.iter().filter(|label| !own.contains(label.as_str()));
                    findings.extend(
                        strange.map(|label| format!("{place}: {metric} has no label {label}")),
                    );
                }
            }
        }
        let strange = names.grouped.iter();
        let strange = strange.filter(|label| !groups_by_any && !may_group.contains(label.as_str()));
        findings.extend(strange.map(|label| format!("{place}: no metric has the label {label}")));
    }
    findings
}

/// What promtool says of the expressions, as rules of one group; nothing where it is not installed.
fn unreadable(root: &Path, expressions: &[Expression]) -> anyhow::Result<Vec<String>> {
    let own = root.join(".cache/prometheus/promtool");
    let promtool = if own.exists() { own } else { "promtool".into() };
    if Command::new(&promtool).arg("--version").output().is_err() {
        return Ok(Vec::new());
    }
    let rules = expressions.iter().enumerate();
    let recorded = rules.map(|(at, expression)| RecordingRule {
        record: format!("expression:{at}"),
        label: None,
        expr: expression.text.clone(),
    });
    let group = RuleGroup {
        name: "expressions",
        recorded: recorded.collect(),
        alerts: Vec::new(),
    };
    let file = std::env::temp_dir().join(format!("expressions-{}.yaml", std::process::id()));
    std::fs::write(&file, rules_yaml(&[group])).context("writing rules for promtool")?;
    let checked = Command::new(&promtool)
        .args(["check", "rules", "--lint=none"])
        .arg(&file)
        .output();
    std::fs::remove_file(&file)?;
    let checked = checked.context("running promtool")?;
    if checked.status.success() {
        return Ok(Vec::new());
    }
    let said = String::from_utf8_lossy(&checked.stderr);
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(|line| format!("promtool: {line}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let expression = Expression {
            place: "Panel".to_owned(),
            text: text.to_owned(),
        };
        unknown_names(&[expression], &known_names())
    }

    #[test]
    fn an_unknown_name_is_found() {
        assert_eq!(
            check("sum(rate(t2b_message_total[5m])) / t2b_connections"),
            ["Panel: t2b_message_total is no metric and no recording rule"]
        );
        assert_eq!(
            check("t2b_message_seconds + t2b:sli_error:ratio_rate7m").len(),
            2
        );
    }

    #[test]
    fn an_unknown_label_is_found() {
        assert_eq!(
            check("sum by (reason, le) (rate(t2b_refusals_total{cause=\"x\"}[5m]))"),
            [
                "Panel: t2b_refusals_total has no label cause",
                "Panel: no metric has the label le"
            ]
        );
        assert_eq!(
            check("sum by (tenant) (t2b_tenant_connections{outcome=\"accepted\"})"),
            ["Panel: t2b_tenant_connections has no label outcome"]
        );
    }

    #[test]
    fn what_is_declared_passes() {
        for text in [
            "sum by (le, path) (rate(t2b_message_seconds_bucket{le=\"0.05\", job=\"a\"}[5m]))",
            "t2b_message_seconds_sum / t2b_message_seconds_count",
            "sum by (tenant, outcome) (rate(t2b_tenant_messages_total{tenant=\"$tenant\"}[5m]))",
            "max by (resource) (t2b:saturation:ratio{resource=\"files\"})",
        ] {
            assert_eq!(check(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn an_expression_without_an_end_is_found() {
        assert_eq!(
            check("sum(t2b_connections"),
            ["Panel: sum(t2b_connections: no )"]
        );
    }
}
