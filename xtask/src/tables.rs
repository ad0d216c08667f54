//! The tables of the code whose every name has to stand in a document, and which document that is.

use gateway::config::KEYS;
use gateway::metrics::TABLE;
use gateway::{ReloadEffect, effect_of, tenant_families};
use protocol::error::Since;
use protocol::{CloseCode, ErrorCode, Limits};

/// Names of one table and the page that explains them.
#[derive(Debug)]
pub(crate) struct Documented {
    /// What the names are, for the message.
    pub what: &'static str,
    /// The page, relative to the workspace.
    pub page: &'static str,
    /// Every name that has to stand in it, as `code` or as a word of its own.
    pub names: Vec<String>,
}

/// Every table: **the one to extend** when the code gets another. Metrics belong to
/// `docs/metrics.md`, configuration keys to `docs/configuration.md`.
pub(crate) fn documented() -> Vec<Documented> {
    let protocol = "docs/protocol.md";
    vec![
        table(
            "errors",
            protocol,
            ErrorCode::ALL.iter().map(|code| code.reason()),
        ),
        table(
            "close codes",
            protocol,
            CloseCode::ALL.iter().map(|close| close.code().to_string()),
        ),
        table(
            "limits",
            protocol,
            Limits::table().into_iter().map(|(name, ..)| name),
        ),
        table(
            "metrics",
            "docs/metrics.md",
            TABLE.iter().map(|row| row.name),
        ),
        table(
            "configuration keys",
            "docs/configuration.md",
            KEYS.iter().map(|key| key.name),
        ),
    ]
}

/// The metrics as a table for people.
pub(crate) fn metrics_markdown() -> String {
    let rows = TABLE.iter().map(|row| {
        let kind = row.kind.word();
        let labels: Vec<String> = row
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let labels = labels.join(", ");
        let needs = row.needs.map(|needs| format!(" Only with {needs}."));
        let (name, help, needs) = (row.name, row.help, needs.unwrap_or_default());
        format!("| `{name}` | {kind} | {labels} | {help}{needs} |\n")
    });
    format!(
        "| name | kind | labels | counts |\n| --- | --- | --- | --- |\n{}",
        rows.collect::<String>()
    )
}

/// The metrics of tenants as a table for people.
pub(crate) fn tenant_metrics_markdown() -> String {
    let rows = tenant_families().map(|family| {
        let kind = if family.is_counter() {
            "counter"
        } else {
            "gauge"
        };
        let values: Vec<String> = family
            .values()
            .map(|value| format!("`{}=\"{value}\"`", family.label))
            .collect();
        let (name, help) = (family.name, family.help);
        format!("| `{name}` | {kind} | {} | {help}. |\n", values.join(", "))
    });
    format!(
        "| name | kind | labels besides `tenant` | counts |\n| --- | --- | --- | --- |\n{}",
        rows.collect::<String>()
    )
}

/// The configuration keys as a table for people.
pub(crate) fn config_markdown() -> String {
    let rows = KEYS.iter().map(|key| {
        let default = match key.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let later = match key.since {
            Since::Now => String::new(),
            Since::Reserved(part) => format!(" *(later: {part})*"),
        };
        let reload = match effect_of(key.name) {
            ReloadEffect::Applies => "yes",
            ReloadEffect::NeedsRestart => "",
        };
        format!(
            "| `{}` | {default} | {reload} | {}{later} |\n",
            key.name, key.help
        )
    });
    format!(
        "| key | default | reload | meaning |\n| --- | --- | --- | --- |\n{}",
        rows.collect::<String>()
    )
}

fn table<N: Into<String>>(
    what: &'static str,
    page: &'static str,
    names: impl IntoIterator<Item = N>,
) -> Documented {
    Documented {
        what,
        page,
        names: names.into_iter().map(Into::into).collect(),
    }
}

impl Documented {
    /// A sentence with every name that `text`, the page, does not hold; none if it holds all.
    pub(crate) fn missing_in(&self, text: &str) -> Option<String> {
        let missing: Vec<&str> = self
            .names
            .iter()
            .map(String::as_str)
            .filter(|name| !holds_word(text, name))
            .collect();
        (!missing.is_empty())
            .then(|| format!("{} not in {}: {}", self.what, self.page, missing.join(", ")))
    }
}

/// Whether `word` stands in `text` with no letter, digit or underscore at either side.
fn holds_word(text: &str, word: &str) -> bool {
    let of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(of_a_word) && !text[at + word.len()..].starts_with(of_a_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_page_explains_is_found() {
        let errors = table("errors", "docs/protocol.md", ["bad_frame", "too_large"]);
        assert_eq!(
            errors.missing_in("| `bad_frame` | 400 |").unwrap(),
            "errors not in docs/protocol.md: too_large"
        );
        assert_eq!(errors.missing_in("`bad_frame`, `too_large`"), None);
    }

    #[test]
    fn a_name_inside_another_does_not_count() {
        assert!(!holds_word("bad_frames", "bad_frame"));
        assert!(!holds_word("14401", "4401"));
        assert!(holds_word("bad_frames, bad_frame.", "bad_frame"));
    }

    #[test]
    fn every_table_has_names() {
        for table in documented() {
            assert!(!table.names.is_empty(), "{}", table.what);
        }
    }
}
