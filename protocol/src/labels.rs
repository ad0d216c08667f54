//! The labels of a tenant: names and values that an operator puts on it, such as a plan or a region.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{LABEL_BYTES_MAX, LABELS_MAX};

/// The labels of a tenant, by name: at most [`LABELS_MAX`].
///
/// A name is 1 or more of `[A-Za-z0-9._-]`. A value is any text without control characters. Name and value
/// together take at most [`LABEL_BYTES_MAX`] bytes. Shape: `{"plan":"pro","region":"eu-1"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TenantLabels(BTreeMap<String, String>);

/// Why labels are not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// There are too many.
    #[error("labels: more than {LABELS_MAX}")]
    TooMany,
    /// A name is no name.
    #[error("labels: a name must be 1 or more of A-Z, a-z, 0-9, `.`, `_` and `-`")]
    Name,
    /// A value has a control character.
    #[error("labels.{0}: has a control character")]
    Value(String),
    /// A label is too long.
    #[error("labels.{0}: name and value are more than {LABEL_BYTES_MAX} bytes")]
    TooLong(String),
    /// A name is given twice.
    #[error("labels.{0}: given twice")]
    Twice(String),
}

impl TenantLabels {
    /// Adds a label. Errors: it, or the labels with it, break a rule; then nothing is added.
    pub fn add(&mut self, name: String, value: String) -> Result<(), LabelError> {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.len() > LABEL_BYTES_MAX || name.is_empty() || !name.bytes().all(is_of_name) {
            return Err(LabelError::Name);
        }
        if name.len() + value.len() > LABEL_BYTES_MAX {
            return Err(LabelError::TooLong(name));
        }
        if value.chars().any(char::is_control) {
            return Err(LabelError::Value(name));
        }
        if self.0.contains_key(&name) {
            return Err(LabelError::Twice(name));
        }
        if self.0.len() == LABELS_MAX {
            return Err(LabelError::TooMany);
        }
        self.0.insert(name, value);
        Ok(())
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.0.iter();
        labels.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for TenantLabels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelVisitor)
    }
}

/// Reads labels one by one, so that too many are refused before they are in memory.
struct LabelVisitor;

impl<'de> Visitor<'de> for LabelVisitor {
    type Value = TenantLabels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels, each a name with a text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TenantLabels, A::Error> {
        let mut labels = TenantLabels::default();
        while let Some((name, value)) = map.next_entry()? {
            labels.add(name, value).map_err(A::Error::custom)?;
        }
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TenantLabels, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn labels_at_the_limits_pass() {
        let value = "x".repeat(LABEL_BYTES_MAX - 3);
        let many: Vec<String> = (10..10 + LABELS_MAX)
            .map(|number| format!(r#""n{number}":"{value}""#))
            .collect();
        let text = format!("{{{}}}", many.join(","));
        let labels = read(&text).unwrap();
        assert_eq!(labels.iter().count(), LABELS_MAX);
        assert_eq!(serde_json::to_string(&labels).unwrap(), text);
        assert_eq!(read("{}").unwrap(), TenantLabels::default());
        assert!(read(r#"{"a.b_c-D":"grün "}"#).is_ok());
    }

    #[test]
    fn labels_beyond_the_limits_are_refused_by_name() {
        let many: Vec<String> = (0..=LABELS_MAX).map(|n| format!(r#""n{n}":"""#)).collect();
        let long = format!(r#"{{"plan":"{}"}}"#, "x".repeat(LABEL_BYTES_MAX - 3));
        let long_name = format!(r#"{{"{}":""}}"#, "x".repeat(LABEL_BYTES_MAX + 1));
        for (text, why) in [
            (format!("{{{}}}", many.join(",")), "labels: more than 16"),
            (r#"{"":"x"}"#.to_owned(), "labels: a name must be"),
            (r#"{"a b":"x"}"#.to_owned(), "labels: a name must be"),
            (long_name, "labels: a name must be"),
            (long, "labels.plan: name and value are more than 64 bytes"),
            (
                r#"{"plan":"a\nb"}"#.to_owned(),
                "labels.plan: has a control character",
            ),
            (
                r#"{"plan":"a","plan":"b"}"#.to_owned(),
                "labels.plan: given twice",
            ),
            (r#"{"plan":1}"#.to_owned(), "invalid type: integer"),
            (r#"["plan"]"#.to_owned(), "expected labels, each a name"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
