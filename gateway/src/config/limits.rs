//! Tables of limits: `[limits]`, `[plans.<name>.limits]` and `[tenants.<id>.limits]`.

use protocol::units::parse_size;
use protocol::{LimitChanges, LimitRule, Limits};

use super::raw::{ConfigError, RawLimits, Setting};
use super::setting_reader::with_value;
use super::values::whole;

/// What a table changes of the limits that hold otherwise, which are `base`.
///
/// Sizes are bytes, with or without a unit; rates and counts are whole numbers. Errors: a field that
/// does not exist, is out of range, or is 0 where 0 would shut everybody out; a frame that no queue
/// could hold.
pub(super) fn read(
    base: &Limits,
    raw: &RawLimits,
    table: &str,
) -> Result<LimitChanges, ConfigError> {
    let mut changes = LimitChanges::default();
    for (name, setting) in raw {
        let Some(number) = number(setting) else {
            // A field that does not exist has no number either.
            return Err(match changes.set(name, 1) {
                Err(LimitRule::Unknown) => unknown(table, name, setting),
                Ok(()) | Err(LimitRule::AtLeastOne | LimitRule::AtMost) => {
                    let rule = "expected a whole number, or a size like 64KiB";
                    wrong_field(table, name, setting, rule)
                }
            });
        };
        changes.set(name, number).map_err(|rule| match rule {
            LimitRule::Unknown => unknown(table, name, setting),
            LimitRule::AtLeastOne | LimitRule::AtMost => {
                wrong_field(table, name, setting, &rule.to_string())
            }
        })?;
    }
    let limits = changes.over(base);
    match raw.get("frame_bytes").or(raw.get("outbound_bytes")) {
        Some(setting) if limits.frame_bytes > limits.outbound_bytes => Err(ConfigError::new(
            format!("{table}.frame_bytes"),
            &setting.place,
            "a frame of that size would not fit into outbound_bytes",
        )),
        Some(_) | None => Ok(changes),
    }
}

fn unknown(table: &str, name: &str, setting: &Setting) -> ConfigError {
    ConfigError::new(format!("{table}.{name}"), &setting.place, "no such limit")
}

fn number(setting: &Setting) -> Option<u64> {
    let [text] = setting.texts.as_slice() else {
        return None;
    };
    whole(text).or_else(|| parse_size(text).ok())
}

/// The rule, and what was given in its place.
pub(super) fn wrong_field(table: &str, name: &str, setting: &Setting, rule: &str) -> ConfigError {
    let problem = match setting.texts.as_slice() {
        [text] => with_value(rule, text),
        [] | [..] => rule.to_owned(),
    };
    ConfigError::new(format!("{table}.{name}"), &setting.place, problem)
}

/// The value of a field, if it is given. Errors: the rule that it breaks, and what was given in its place.
pub(super) fn field<T>(
    (table, name): (&str, &str),
    setting: Option<&Setting>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, ConfigError> {
    let Some(setting) = setting else {
        return Ok(None);
    };
    let parsed = match setting.texts.as_slice() {
        [text] => parse(text),
        [] | [..] => Err("expected one value".to_owned()),
    };
    let parsed = parsed.map_err(|rule| wrong_field(table, name, setting, &rule));
    parsed.map(Some)
}
