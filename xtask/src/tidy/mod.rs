//! `cargo xtask tidy`: what a careful reader would otherwise have to look up by hand.
//!
//! | check | finds |
//! | --- | --- |
//! | [`documents`] | a name of a table that its page does not explain |
//! | [`generated`](crate::generated) | a generated file that is not current |
//! | [`words`] | words that belong in no tracked file, sleeps in tests |
//! | [`links`] | relative links that lead nowhere |
//! | [`expressions`] | a name or a label in a dashboard or a rule that no metric has |
//! | [`alerts`] | an alert without a runbook or without tests |
//! | [`cycles`] | files of a crate that import each other |
//! | [`type_names`] | a type name that a package has twice |
//! | [`visibility`] | a public item that no other crate names |
//! | [`sizes`] | files and functions that are too large |

mod alerts;
mod cycles;
mod expressions;
mod links;
mod sizes;
mod type_names;
mod visibility;
mod words;

use std::path::Path;

use crate::code::{self, Files};
use crate::{generated, tables, workspace};

/// Runs every check, prints the report of sizes, and returns what is to be mended.
///
/// Errors: git cannot list the files, one cannot be read, or a Rust file is not of the grammar.
pub(crate) fn run(root: &Path) -> anyhow::Result<Vec<String>> {
    let files = workspace::read_texts(root)?;
    let mut findings = documents(&files);
    findings.extend(
        generated::files()
            .iter()
            .filter_map(|file| file.finding(root)),
    );
    findings.extend(words::findings(&files));
    findings.extend(links::findings(&files, |path| root.join(path).exists()));
    findings.extend(expressions::findings(root)?);
    findings.extend(alerts::findings(&files));
    let crates = code::crates(&files)?;
    findings.extend(cycles::findings(&crates));
    findings.extend(type_names::findings(&crates));
    findings.extend(visibility::findings(&crates, &files));
    let sizes = sizes::Sizes::measure(&files)?;
    findings.extend(sizes.findings());
    println!("{}", sizes.report());
    if findings.is_empty() {
        println!("tidy: {} text files, nothing to mend", files.len());
    }
    Ok(findings)
}

/// Names of the code's tables that their page does not hold.
fn documents(files: &Files) -> Vec<String> {
    let mut findings = Vec::new();
    for table in tables::documented() {
        match files.get(table.page) {
            Some(text) => findings.extend(table.missing_in(text)),
            None => findings.push(format!(
                "{} is missing: it explains the {}",
                table.page, table.what
            )),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_page_is_said_once_a_table() {
        let findings = documents(&Files::new());
        assert_eq!(findings.len(), tables::documented().len());
        assert!(findings[0].starts_with("docs/protocol.md is missing"));
    }
}
