//! Each alert has a runbook, and a test in which it fires and one in which it does not.

use std::collections::BTreeSet;

use crate::code::Files;
use crate::monitoring::{AlertRule, RUNBOOKS, groups};

/// The folder of promtool's tests; each alert has a file.
const TESTS: &str = "deploy/prometheus/tests";

/// One sentence for each alert that lacks a page or a test, and for each page and test without an alert.
pub(super) fn findings(files: &Files) -> Vec<String> {
    findings_with(
        files,
        &groups()
            .into_iter()
            .flat_map(|it| it.alerts)
            .collect::<Vec<_>>(),
    )
}

fn findings_with(files: &Files, alerts: &[AlertRule]) -> Vec<String> {
    let mut findings = Vec::new();
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.name).collect();
    for name in &names {
        let page = format!("{RUNBOOKS}/{name}.md");
        if !files.contains_key(&page) {
            findings.push(format!(
                "{page} is missing: it says what to do about {name}"
            ));
        }
        let test = format!("{TESTS}/{name}.yaml");
        let text = files.get(&test).map(String::as_str).unwrap_or_default();
        if !text.contains("exp_alerts:\n") {
            findings.push(format!("{test}: {name} fires in no test"));
        }
        if !text.contains("exp_alerts: []\n") {
            findings.push(format!("{test}: {name} is silent in no test"));
        }
    }
    for path in files.keys() {
        let page = path
            .strip_prefix(RUNBOOKS)
            .and_then(|it| it.strip_suffix(".md"));
        let test = path
            .strip_prefix(TESTS)
            .and_then(|it| it.strip_suffix(".yaml"));
        let name = page.or(test).map(|name| name.trim_start_matches('/'));
        if name.is_some_and(|name| name != "README" && !names.contains(name)) {
            findings.push(format!("{path}: there is no such alert"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        let alert = AlertRule {
            name: "Bad",
            severity: "page",
            labels: Vec::new(),
            expr: String::new(),
            hold: "1m",
            summary: String::new(),
            description: String::new(),
        };
        let files = files.iter();
        let files = files.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        findings_with(&files.collect(), &[alert])
    }

    const PAGE: (&str, &str) = ("docs/runbooks/Bad.md", "");

    #[test]
    fn an_alert_without_a_page_or_tests_is_found() {
        assert_eq!(check(&[]).len(), 3);
        let test = |text| check(&[PAGE, ("deploy/prometheus/tests/Bad.yaml", text)]);
        assert_eq!(
            test("exp_alerts: []\n"),
            ["deploy/prometheus/tests/Bad.yaml: Bad fires in no test"]
        );
        assert_eq!(
            test("exp_alerts:\n"),
            ["deploy/prometheus/tests/Bad.yaml: Bad is silent in no test"]
        );
        assert_eq!(test("exp_alerts:\nexp_alerts: []\n"), [""; 0]);
    }

    #[test]
    fn a_page_without_an_alert_is_found() {
        let old = ("docs/runbooks/Old.md", "");
        let test = (
            "deploy/prometheus/tests/Bad.yaml",
            "exp_alerts:\nexp_alerts: []\n",
        );
        let found = check(&[PAGE, old, test]);
        assert_eq!(found, ["docs/runbooks/Old.md: there is no such alert"]);
    }
}
