//! How large the Rust files and functions are.
//!
//! | rule | limit |
//! | --- | --- |
//! | a file | at most 400 lines |
//! | half of the files | at most 130 lines |
//! | 99 of 100 functions | at most 50 lines, signature and braces included |

use std::fmt::Write as _;

use anyhow::Context;
use syn::visit::{self, Visit};

use crate::code::Files;

const FILE_LINES_MAX: usize = 400;
const FILE_LINES_MEDIAN: usize = 130;
const FUNCTION_LINES_P99: usize = 50;
/// How many of the largest functions the report names.
const NAMED: usize = 10;

/// The sizes of all files and functions, largest first.
pub(crate) struct Sizes {
    files: Vec<(usize, String)>,
    functions: Vec<(usize, String)>,
}

impl Sizes {
    /// Measures every Rust file. Errors: a file that Rust's grammar does not allow.
    pub(crate) fn measure(files: &Files) -> anyhow::Result<Self> {
        let mut sizes = Self {
            files: Vec::new(),
            functions: Vec::new(),
        };
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
            sizes.files.push((text.lines().count(), path.clone()));
            let parsed = syn::parse_file(text).with_context(|| path.clone())?;
            let mut lengths = FunctionLengths::default();
            lengths.visit_file(&parsed);
            let placed = lengths.0.into_iter();
            let placed = placed.map(|(line, lines)| (lines, format!("{path}:{line}")));
            sizes.functions.extend(placed);
        }
        sizes.files.sort_unstable_by(|a, b| b.cmp(a));
        sizes.functions.sort_unstable_by(|a, b| b.cmp(a));
        Ok(sizes)
    }

    /// One sentence for every rule that is broken.
    pub(crate) fn findings(&self) -> Vec<String> {
        let large = self.files.iter();
        let large = large.take_while(|(lines, _)| *lines > FILE_LINES_MAX);
        let mut findings: Vec<String> = large
            .map(|(lines, path)| format!("{path} has {lines} lines; at most {FILE_LINES_MAX}"))
            .collect();
        let median = at(&self.files, 50);
        if median > FILE_LINES_MEDIAN {
            findings.push(format!(
                "the median file has {median} lines; at most {FILE_LINES_MEDIAN}"
            ));
        }
        let p99 = at(&self.functions, 99);
        if p99 > FUNCTION_LINES_P99 {
            findings.push(format!(
                "1 of 100 functions has {p99} lines or more; at most {FUNCTION_LINES_P99}"
            ));
        }
        findings
    }

    /// Medians, percentiles, and the longest functions.
    pub(crate) fn report(&self) -> String {
        let (files, functions) = (&self.files, &self.functions);
        let mut report = format!(
            "sizes: {} files, median {} lines, p90 {}, largest {}\nsizes: {} functions, median {} lines, p99 {}, longest:",
            files.len(),
            at(files, 50),
            at(files, 90),
            at(files, 100),
            functions.len(),
            at(functions, 50),
            at(functions, 99),
        );
        for (lines, place) in functions.iter().take(NAMED) {
            let _ = write!(report, "\n  {lines:>5} {place}");
        }
        report
    }
}

/// The size that `percent` of all are at most; `sizes` is in falling order.
fn at(sizes: &[(usize, String)], percent: usize) -> usize {
    let above = sizes.len() * (100 - percent) / 100;
    sizes.get(above).map_or(0, |(lines, _)| *lines)
}

/// First line, from 1, and length of every function with a body.
#[derive(Default)]
struct FunctionLengths(Vec<(usize, usize)>);

impl FunctionLengths {
    fn add(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = body.brace_token.span.close().end().line;
        self.0.push((first, last + 1 - first));
    }
}

impl<'ast> Visit<'ast> for FunctionLengths {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(body_lines: usize) -> String {
        format!(
            "impl A {{\n    pub(crate) const fn a() {{\n{}    }}\n}}\n",
            "        x;\n".repeat(body_lines)
        )
    }

    fn measure(files: &[(&str, String)]) -> Sizes {
        let files = files.iter();
        let files = files.map(|(path, text)| ((*path).to_owned(), text.clone()));
        Sizes::measure(&files.collect()).unwrap()
    }

    #[test]
    fn sizes_at_the_limits_pass_and_above_are_found() {
        let small = source(FUNCTION_LINES_P99 - 2);
        assert_eq!(measure(&[("a.rs", small)]).findings(), [""; 0]);
        let long = measure(&[("a.rs", source(FUNCTION_LINES_P99 - 1))]);
        assert_eq!(
            long.findings(),
            ["1 of 100 functions has 51 lines or more; at most 50"]
        );
        let large = measure(&[
            ("a.rs", "\n".repeat(401)),
            ("b.rs", source(1)),
            ("c.rs", source(1)),
        ]);
        assert_eq!(large.findings(), ["a.rs has 401 lines; at most 400"]);
        let median = measure(&[("a.rs", "\n".repeat(131)), ("b.txt", String::new())]);
        assert_eq!(
            median.findings(),
            ["the median file has 131 lines; at most 130"]
        );
    }

    #[test]
    fn the_report_names_the_longest_function() {
        let report = measure(&[("a.rs", source(1)), ("b.rs", source(40))]).report();
        assert!(
            report.ends_with("longest:\n     42 b.rs:2\n      3 a.rs:2"),
            "{report}"
        );
    }
}
