//! How large the source files and functions are: reported, never judged.
//!
//! The code is formatted, so a function ends at the first `}` in the column where it began: no
//! parser is needed.

use std::fmt::Write as _;

use super::Files;

/// A function longer than this does not fit a screen, lines.
const SCREEN_LINES: usize = 60;

/// Median, 90th percentile and the largest five Rust files, and every function over a screen.
pub(crate) fn report(files: &Files) -> String {
    let sources = || files.iter().filter(|(path, _)| path.ends_with(".rs"));
    let mut sizes: Vec<(usize, &str)> = sources()
        .map(|(path, text)| (text.lines().count(), path.as_str()))
        .collect();
    sizes.sort_unstable();
    let at = |percent: usize| {
        sizes
            .get(sizes.len() * percent / 100)
            .map_or(0, |(lines, _)| *lines)
    };

    let mut out = format!(
        "sizes: {} .rs files, median {} lines, p90 {}",
        sizes.len(),
        at(50),
        at(90)
    );
    for (lines, path) in sizes.iter().rev().take(5) {
        let _ = write!(out, "\n  {lines:>5} {path}");
    }
    let mut long: Vec<(usize, String)> = sources()
        .flat_map(|(path, text)| {
            long_functions(text)
                .into_iter()
                .map(move |(line, lines)| (lines, format!("{path}:{line}")))
        })
        .collect();
    long.sort_unstable_by(|a, b| b.cmp(a));
    let _ = write!(
        out,
        "\nsizes: {} functions over {SCREEN_LINES} lines",
        long.len()
    );
    for (lines, place) in &long {
        let _ = write!(out, "\n  {lines:>5} {place}");
    }
    out
}

/// Line number (from 1) and length of every function longer than a screen.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut long = Vec::new();
    for (start, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| begins_function(line))
    {
        let end = format!("{}}}", " ".repeat(indent(line)));
        let length = lines[start..]
            .iter()
            .position(|line| *line == end)
            .map_or(0, |last| last + 1);
        if length > SCREEN_LINES && !line.ends_with('}') {
            long.push((start + 1, length));
        }
    }
    long
}

fn begins_function(line: &str) -> bool {
    let words = line.split_whitespace().take_while(|word| {
        matches!(*word, "const" | "async" | "extern" | "fn") || word.starts_with("pub")
    });
    words.last() == Some("fn")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
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

    #[test]
    fn a_function_over_a_screen_is_listed() {
        assert_eq!(long_functions(&source(SCREEN_LINES - 2)), []);
        assert_eq!(
            long_functions(&source(SCREEN_LINES - 1)),
            [(2, SCREEN_LINES + 1)]
        );
    }

    #[test]
    fn the_report_names_the_largest_file() {
        let files = Files::from([
            ("a.rs".to_owned(), source(1)),
            ("b.rs".to_owned(), source(100)),
            ("c.md".to_owned(), "x\n".repeat(1000)),
        ]);
        let report = report(&files);
        assert!(report.starts_with("sizes: 2 .rs files, median 104 lines, p90 104\n    104 b.rs"));
        assert!(report.ends_with("sizes: 1 functions over 60 lines\n    102 b.rs:2"));
    }
}
