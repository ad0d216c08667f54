//! Limits that an operator changes for a plan or a tenant, by their names.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::limits::Limits;

/// Limits that differ from those that hold otherwise.
///
/// Shape: `{"messages_per_second": 10, "frame_bytes": 65536}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LimitChanges(BTreeMap<String, u64>);

/// Which rule a limit breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitRule {
    /// There is no limit of that name.
    Unknown,
    /// 0 would shut everybody out.
    AtLeastOne,
    /// The number is too large.
    AtMost,
}

impl fmt::Display for LimitRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such limit"),
            Self::AtLeastOne => f.write_str("must be at least 1"),
            Self::AtMost => write!(f, "must be at most {}", u32::MAX),
        }
    }
}

impl LimitChanges {
    /// Changes a limit. Errors: the rule that the number breaks; then nothing is changed.
    pub fn set(&mut self, name: &str, number: u64) -> Result<(), LimitRule> {
        let mut fields = fields(&Limits::default());
        let field = fields.get_mut(name).ok_or(LimitRule::Unknown)?;
        // Only this one counts from zero: "0 = no limit".
        if number == 0 && name != "takeovers_per_minute" {
            return Err(LimitRule::AtLeastOne);
        }
        *field = Value::from(number);
        serde_json::from_value::<Limits>(fields).map_err(|_| LimitRule::AtMost)?;
        self.0.insert(name.to_owned(), number);
        Ok(())
    }

    /// `base` with the changes.
    pub fn over(&self, base: &Limits) -> Limits {
        let mut fields = fields(base);
        for (name, number) in &self.0 {
            fields[name] = Value::from(*number);
        }
        serde_json::from_value(fields).expect("every change was checked")
    }

    /// Names and numbers, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        let numbers = self.0.iter();
        numbers.map(|(name, number)| (name.as_str(), *number))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn fields(limits: &Limits) -> Value {
    serde_json::to_value(limits).expect("limits are numbers")
}

impl<'de> Deserialize<'de> for LimitChanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ChangesVisitor)
    }
}

/// Reads a map of names and numbers. A name that is given twice is refused: which number is meant is unknown.
struct ChangesVisitor;

impl<'de> Visitor<'de> for ChangesVisitor {
    type Value = LimitChanges;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limits, each a name and a number")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LimitChanges, A::Error> {
        let mut changes = LimitChanges::default();
        while let Some((name, number)) = map.next_entry::<String, u64>()? {
            let wrong =
                |rule: &dyn fmt::Display| A::Error::custom(format_args!("limits.{name}: {rule}"));
            if changes.0.contains_key(&name) {
                return Err(wrong(&"given twice"));
            }
            changes.set(&name, number).map_err(|rule| wrong(&rule))?;
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_laid_over_other_limits() {
        let mut changes = LimitChanges::default();
        assert_eq!(changes.over(&Limits::default()), Limits::default());
        changes.set("messages_per_second", 7).unwrap();
        changes.set("takeovers_per_minute", 0).unwrap();
        let base = Limits {
            messages_burst: 9,
            ..Limits::default()
        };
        let expected = Limits {
            messages_per_second: 7,
            takeovers_per_minute: 0,
            ..base.clone()
        };
        assert_eq!(changes.over(&base), expected);
    }

    #[test]
    fn what_breaks_a_rule_is_named_and_changes_nothing() {
        let mut changes = LimitChanges::default();
        for (name, number, rule) in [
            ("message_rate", 1, LimitRule::Unknown),
            ("messages_burst", 0, LimitRule::AtLeastOne),
            ("frame_bytes", 1 << 32, LimitRule::AtMost),
        ] {
            assert_eq!(changes.set(name, number), Err(rule), "{name}");
        }
        assert!(changes.is_empty());
        for (text, told) in [
            (r#"{"frame_bytes":1,"x":2}"#, "limits.x: no such limit"),
            (
                r#"{"frame_bytes":1,"frame_bytes":1}"#,
                "limits.frame_bytes: given twice",
            ),
            (r#"{"frame_bytes":-1}"#, "invalid value: integer `-1`"),
            (r#"["frame_bytes"]"#, "expected limits, each a name"),
        ] {
            let error = serde_json::from_str::<LimitChanges>(text).unwrap_err();
            assert!(error.to_string().contains(told), "{text}: {error}");
        }
    }
}
