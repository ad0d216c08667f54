//! The names that a PromQL expression uses: of metrics, and of labels.
//!
//! It reads words and brackets, not the whole grammar: whether an expression is valid is promtool's to say.

use std::collections::BTreeSet;

/// The names of an expression.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpressionNames {
    /// Each selector: its metric, and the labels that it compares.
    pub selectors: Vec<(String, BTreeSet<String>)>,
    /// The labels that it groups and joins by.
    pub grouped: BTreeSet<String>,
}

/// Words behind which labels stand in brackets.
const BEFORE_LABELS: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
/// Words between two expressions.
const BETWEEN: &[&str] = &["and", "or", "unless", "bool", "offset", "inf", "nan"];

/// What an expression is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PromToken {
    Word(String),
    /// What stands between quotes or in square brackets: no names.
    Opaque,
    Sign(char),
}

impl ExpressionNames {
    /// Reads an expression. Errors: a bracket or a quote has no end.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut names = Self::default();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            let PromToken::Word(word) = token else {
                continue;
            };
            let next = tokens.get(at);
            if BEFORE_LABELS.contains(&word.as_str()) {
                if next == Some(&PromToken::Sign('(')) {
                    let labels = until(&tokens, at + 1, ')');
                    names.grouped.extend(words(labels));
                    at += labels.len() + 2;
                }
            } else if next == Some(&PromToken::Sign('{')) {
                let matchers = until(&tokens, at + 1, '}');
                names
                    .selectors
                    .push((word.clone(), words(matchers).collect()));
                at += matchers.len() + 2;
            } else if is_selector(word, next) {
                names.selectors.push((word.clone(), BTreeSet::new()));
            }
        }
        Ok(names)
    }
}

/// Whether a word is a metric: no number, no keyword, no function and no aggregation.
fn is_selector(word: &str, next: Option<&PromToken>) -> bool {
    let is_number = word.starts_with(|first: char| first.is_ascii_digit());
    let is_called = next == Some(&PromToken::Sign('('));
    let is_aggregation =
        matches!(next, Some(PromToken::Word(next)) if BEFORE_LABELS[..2].contains(&next.as_str()));
    !is_number && !is_called && !is_aggregation && !BETWEEN.contains(&word)
}

/// The tokens up to a closing bracket.
fn until(tokens: &[PromToken], from: usize, end: char) -> &[PromToken] {
    let rest = tokens.get(from..).unwrap_or_default();
    let length = rest.iter().position(|token| *token == PromToken::Sign(end));
    &rest[..length.unwrap_or(rest.len())]
}

fn words(tokens: &[PromToken]) -> impl Iterator<Item = String> {
    tokens.iter().filter_map(|token| match token {
        PromToken::Word(word) => Some(word.clone()),
        PromToken::Opaque | PromToken::Sign(_) => None,
    })
}

fn tokens(text: &str) -> Result<Vec<PromToken>, String> {
    let of_a_word = |letter: char| letter.is_ascii_alphanumeric() || "_:.".contains(letter);
    let mut tokens = Vec::new();
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => quoted(rest).ok_or_else(|| format!("no end of {rest}"))?,
            '[' => 1 + rest.find(']').ok_or_else(|| format!("no end of {rest}"))?,
            _ if of_a_word(first) => rest.find(|next| !of_a_word(next)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        match first {
            '"' | '\'' | '[' => tokens.push(PromToken::Opaque),
            _ if of_a_word(first) => tokens.push(PromToken::Word(rest[..length].to_owned())),
            _ if first.is_whitespace() => {}
            _ => tokens.push(PromToken::Sign(first)),
        }
        match first {
            '(' => open.push(')'),
            '{' => open.push('}'),
            ')' | '}' if open.pop() != Some(first) => {
                return Err(format!("{first} closes nothing"));
            }
            _ => {}
        }
        rest = &rest[length..];
    }
    match open.pop() {
        None => Ok(tokens),
        Some(missing) => Err(format!("no {missing}")),
    }
}

/// The bytes up to the closing quote, both included.
fn quoted(text: &str) -> Option<usize> {
    let mut letters = text.char_indices();
    let (_, quote) = letters.next()?;
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == quote {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> (Vec<String>, Vec<String>) {
        let names = ExpressionNames::of(text).unwrap();
        let selectors = names.selectors.into_iter().map(|(metric, labels)| {
            let labels: Vec<String> = labels.into_iter().collect();
            format!("{metric}[{}]", labels.join(" "))
        });
        (selectors.collect(), names.grouped.into_iter().collect())
    }

    #[test]
    fn metrics_and_labels_are_found() {
        let text = r#"1 - sum by (le, job) (rate(a_total{x="y{z}", u!~"v\"w"}[5m])) / on (job)
            group_left (node) (b:c > bool 1e3 * 0.5) and count without (z) (d offset 5m) or e{}"#;
        let (selectors, grouped) = names(text);
        assert_eq!(selectors, ["a_total[u x]", "b:c[]", "d[]", "e[]"]);
        assert_eq!(grouped, ["job", "le", "node", "z"]);
    }

    #[test]
    fn a_modifier_may_stand_behind_the_aggregation() {
        let (selectors, grouped) = names("sum(a) by (b) + topk(8, c)");
        assert_eq!(selectors, ["a[]", "c[]"]);
        assert_eq!(grouped, ["b"]);
    }

    #[test]
    fn what_has_no_end_is_an_error() {
        for text in ["sum(a", "a{b=\"c}", "a[5m", "a)", "a{b=\"c\")"] {
            assert!(ExpressionNames::of(text).is_err(), "{text}");
        }
    }
}
