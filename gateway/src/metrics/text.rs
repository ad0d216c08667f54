//! Prometheus's text format, for the metrics that the recorder does not keep.
//!
//! The recorder never forgets a series and its values are numbers of a fixed kind. So what names other nodes,
//! what not every node has, and what the system says of the process is written at each scrape.

use std::fmt::{Display, Write};

use super::table;

/// A metric that is being written; its row says which labels its series have.
pub(super) struct MetricText<'a> {
    out: &'a mut String,
    name: &'static str,
    labels: &'static [&'static str],
}

impl<'a> MetricText<'a> {
    /// Appends its help and its type. A name that the table lacks is a bug that the test finds.
    pub(super) fn begin(name: &'static str, out: &'a mut String) -> Self {
        let row = table::row(name);
        debug_assert!(row.is_some(), "{name} is not in the table");
        if let Some(row) = row {
            // A string takes all that is written to it.
            let _ = writeln!(out, "\n# HELP {name} {}", row.help);
            let _ = writeln!(out, "# TYPE {name} {}", row.kind.word());
        }
        let labels = row.map_or(&[][..], |row| row.labels);
        Self { out, name, labels }
    }

    /// Appends one series. `values`: one for each label of the metric.
    pub(super) fn series(&mut self, values: &[&str], value: impl Display) {
        debug_assert_eq!(self.labels.len(), values.len(), "{}", self.name);
        self.out.push_str(self.name);
        let mut between = '{';
        for (label, value) in self.labels.iter().zip(values) {
            let _ = write!(self.out, "{between}{label}=\"{}\"", escaped(value));
            between = ',';
        }
        let end = if between == '{' { "" } else { "}" };
        let _ = writeln!(self.out, "{end} {value}");
    }
}

/// A value of a label, as Prometheus reads it.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out
}
