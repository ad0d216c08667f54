//! Relative links in Markdown lead to a file that is there. Anchors and other sites are not looked at.

use crate::code::Files;

/// One sentence for each relative link that leads nowhere; `exists` answers for a path of the
/// workspace, files and folders alike.
pub(crate) fn findings(files: &Files, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".md")) {
        for (line, target) in targets(text) {
            let reached = resolve(path, target);
            if !reached.is_some_and(|reached| reached.is_empty() || exists(&reached)) {
                findings.push(format!("{path}:{line}: the link {target} leads nowhere"));
            }
        }
    }
    findings
}

/// Line number (from 1) and target of every relative link outside of code.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(targets_of_line(line).map(|target| (index + 1, target)));
        }
    }
    found
}

fn targets_of_line(line: &str) -> impl Iterator<Item = &str> {
    // Every second piece between backticks is code.
    line.split('`').step_by(2).flat_map(|prose| {
        prose.split("](").skip(1).filter_map(|rest| {
            let target = rest.split([')', ' ']).next()?.split('#').next()?;
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            (!target.is_empty() && !elsewhere).then_some(target)
        })
    })
}

/// `target` as seen from the file `from`, relative to the workspace; none if it leaves it.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let files = Files::from([("docs/page.md".to_owned(), text.to_owned())]);
        findings(&files, |path| ["README.md", "docs/adr"].contains(&path))
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        assert_eq!(
            check("one\n[b](gone.md#part) and [a](../README.md)\n"),
            ["docs/page.md:2: the link gone.md leads nowhere"]
        );
        assert_eq!(check("[out](../../README.md)").len(), 1);
    }

    #[test]
    fn whole_links_anchors_and_other_sites_pass() {
        let text =
            "[a](../README.md#top) [b](adr/) [c](#here) [d](https://example.org/x) [e](/README.md)";
        assert_eq!(check(text), Vec::<String>::new());
    }

    #[test]
    fn code_is_no_link() {
        assert_eq!(
            check("`[a](gone.md)`\n```\n[a](gone.md)\n```\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_link_after_code_on_the_same_line_is_read() {
        assert_eq!(check("`x` [a](gone.md)").len(), 1);
    }
}
