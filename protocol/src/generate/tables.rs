//! The tables of `docs/protocol.md` and `docs/usage.md`.

use crate::close::CloseCode;
use crate::error::{ErrorCode, Since};
use crate::limits::{self, Limits};
use crate::rule::Rule;
use crate::usage::UsageMeter;

/// The tables of the documents, each ending with a line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// One row per [`ErrorCode`].
    pub errors: String,
    /// One row per [`Rule`].
    pub rules: String,
    /// One row per [`CloseCode`].
    pub closes: String,
    /// The constants of [`limits`], then the fields of [`Limits`] with their defaults.
    pub limits: String,
    /// One row per [`UsageMeter`], for `docs/usage.md`.
    pub meters: String,
}

/// The tables of errors, closes and limits as Markdown.
pub fn markdown_tables() -> Tables {
    let errors = ErrorCode::ALL.iter().map(|code| {
        [
            format!("`{}`", code.reason()),
            code.status().to_string(),
            if code.retryable() { "yes" } else { "no" }.to_owned(),
            code.text().to_owned(),
            since(code.since()),
        ]
    });
    let rules = Rule::ALL
        .iter()
        .map(|rule| [format!("`{}`", rule.field()), rule.text().to_owned()]);
    let closes = CloseCode::ALL.iter().map(|close| {
        [
            close.code().to_string(),
            format!("`{}`", close.reason()),
            close.means().to_owned(),
            close.client_should().to_owned(),
            since(close.since()),
        ]
    });
    let limits = limits::constants()
        .into_iter()
        .chain(Limits::table())
        .map(|(name, value, means)| [format!("`{name}`"), value.to_string(), without_links(means)]);
    let meters = UsageMeter::ALL.iter().map(|meter| {
        let omits = match meter.omits() {
            "" => String::new(),
            omits => format!("{omits}."),
        };
        let name = format!("`{meter}`");
        let counts = format!("{}.", meter.counts());
        [name, meter.unit().to_owned(), counts, omits]
    });
    Tables {
        errors: markdown(["reason", "code", "retry", "message", "since"], errors),
        rules: markdown(["field", "rule"], rules),
        closes: markdown(
            ["close", "reason", "means", "client should", "since"],
            closes,
        ),
        limits: markdown(["limit", "value", "means"], limits),
        meters: markdown(["meter", "unit", "counts", "does not count"], meters),
    }
}

pub(super) fn since(since: Since) -> String {
    match since {
        Since::Now => "now".to_owned(),
        Since::Reserved(part) => format!("later: {part}"),
    }
}

/// The text without the brackets that make a link of a name in rustdoc.
fn without_links(docs: &str) -> String {
    docs.replace("[`", "`").replace("`]", "`")
}

fn markdown<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut out = line(&head.map(str::to_owned));
    out.push_str(&line(&head.map(|_| "---".to_owned())));
    out.extend(rows.map(|row| line(&row)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_every_row() {
        let tables = markdown_tables();
        assert_eq!(tables.rules.lines().count(), Rule::ALL.len() + 2);
        assert_eq!(tables.errors.lines().count(), ErrorCode::ALL.len() + 2);
        assert_eq!(tables.closes.lines().count(), CloseCode::ALL.len() + 2);
        assert!(
            tables
                .limits
                .contains("| `NESTING_MAX` | 64 | Deepest nesting")
        );
        assert!(!tables.limits.contains("[`"), "links of rustdoc");
        assert!(
            tables
                .limits
                .contains("| `frame_bytes` | 262144 | Largest message")
        );
    }
}
