//! What a rule is, and the file that Prometheus reads.

use std::fmt::Write as _;

/// The folder of the pages that tell what to do about an alert.
pub(crate) const RUNBOOKS: &str = "docs/runbooks";

/// Rules that are evaluated together, in their order.
#[derive(Debug)]
pub(crate) struct RuleGroup {
    /// Its name.
    pub name: &'static str,
    /// What is recorded, before the alerts.
    pub recorded: Vec<RecordingRule>,
    /// What somebody is told.
    pub alerts: Vec<AlertRule>,
}

/// An expression whose value becomes a series.
#[derive(Debug)]
pub(crate) struct RecordingRule {
    /// The name of the series.
    pub record: String,
    /// A label of it beside those of the expression.
    pub label: Option<(&'static str, &'static str)>,
    /// The expression, PromQL.
    pub expr: String,
}

/// An expression that somebody is told of while it has values.
#[derive(Debug)]
pub(crate) struct AlertRule {
    /// Its name; several rules with other thresholds may share it.
    pub name: &'static str,
    /// `page`: somebody must look now. `ticket`: within days.
    pub severity: &'static str,
    /// Labels beside those of the expression and the severity.
    pub labels: Vec<(&'static str, &'static str)>,
    /// The expression, PromQL.
    pub expr: String,
    /// How long it must have values before somebody is told: a time as Prometheus writes it.
    pub hold: &'static str,
    /// What is wrong, in a sentence with Prometheus's templates.
    pub summary: String,
    /// What that means, and the numbers.
    pub description: String,
}

/// The file of these groups.
pub(crate) fn rules_yaml(groups: &[RuleGroup]) -> String {
    let mut text =
        "# Written by `cargo xtask generate` from xtask/src/monitoring/; do not edit.\ngroups:\n"
            .to_owned();
    for group in groups {
        let mut put = |line: &str| {
            // A string takes all that is written to it.
            let _ = writeln!(text, "{line}");
        };
        put(&format!("  - name: {}\n    rules:", group.name));
        for rule in &group.recorded {
            put(&format!("      - record: {}", rule.record));
            put(&format!("        expr: {}", folded(&rule.expr, 10)));
            if let Some((label, value)) = rule.label {
                put(&format!("        labels:\n          {label}: {value}"));
            }
        }
        for rule in &group.alerts {
            put(&format!("      - alert: {}", rule.name));
            put(&format!("        expr: {}", folded(&rule.expr, 10)));
            put(&format!("        for: {}", rule.hold));
            put(&format!(
                "        labels:\n          severity: {}",
                rule.severity
            ));
            for (label, value) in &rule.labels {
                put(&format!("          {label}: {value}"));
            }
            put("        annotations:");
            let runbook = format!("{RUNBOOKS}/{}.md", rule.name);
            for (name, value) in [
                ("summary", &rule.summary),
                ("description", &rule.description),
                ("runbook_url", &runbook),
            ] {
                put(&format!("          {name}: {}", folded(value, 12)));
            }
        }
    }
    text
}

/// A text in YAML's folded form, in which no letter has a meaning of its own.
fn folded(text: &str, indent: usize) -> String {
    format!(">-\n{:indent$}{text}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_written_as_prometheus_reads_it() {
        let group = RuleGroup {
            name: "t2b",
            recorded: vec![RecordingRule {
                record: "a:b".to_owned(),
                label: Some(("slo", "x")),
                expr: "sum(c{d=\"e: f\"})".to_owned(),
            }],
            alerts: vec![AlertRule {
                name: "Bad",
                severity: "page",
                labels: vec![("window", "1h")],
                expr: "a:b > 1".to_owned(),
                hold: "2m",
                summary: "It is bad".to_owned(),
                description: "Very: {{ $value }}".to_owned(),
            }],
        };
        let (_, text) = rules_yaml(&[group])
            .split_once('\n')
            .map(|(first, rest)| (first.to_owned(), rest.to_owned()))
            .unwrap();
        let expected = "groups:
  - name: t2b
    rules:
      - record: a:b
        expr: >-
          sum(c{d=\"e: f\"})
        labels:
          slo: x
      - alert: Bad
        expr: >-
          a:b > 1
        for: 2m
        labels:
          severity: page
          window: 1h
        annotations:
          summary: >-
            It is bad
          description: >-
            Very: {{ $value }}
          runbook_url: >-
            docs/runbooks/Bad.md
";
        assert_eq!(text, expected);
    }
}
