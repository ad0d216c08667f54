//! The tables `[limits]` and `[tenants.<id>]`: what they say, over what holds otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::units::parse_size;
use protocol::{Limits, TenantId};
use router_core::env::TenantSettings;
use serde_json::Value;

use super::raw::{ConfigError, RawLimits, RawTenant, Setting};
use super::setting_reader::with_value;
use super::values::{key_generation, switch, whole};

/// `base` with the fields that `raw` names.
///
/// Sizes are bytes, with or without a unit; rates and counts are whole numbers. Errors: a field that
/// does not exist, is out of range, or is 0 where 0 would shut everybody out; a frame that no queue
/// could hold.
pub(super) fn overlay(base: &Limits, raw: &RawLimits, table: &str) -> Result<Limits, ConfigError> {
    let mut fields = serde_json::to_value(base).expect("limits are numbers");
    for (name, setting) in raw {
        let wrong = |rule: &str| Err(wrong_field(table, name, setting, rule));
        let Some(field) = fields.get_mut(name) else {
            let key = format!("{table}.{name}");
            return Err(ConfigError::new(key, &setting.place, "no such limit"));
        };
        let Some(number) = number(setting) else {
            return wrong("expected a whole number, or a size like 64KiB");
        };
        // Only this one counts from zero: "0 = no limit".
        if number == 0 && name != "takeovers_per_minute" {
            return wrong("must be at least 1");
        }
        *field = Value::from(number);
        if serde_json::from_value::<Limits>(fields.clone()).is_err() {
            return wrong(&format!("must be at most {}", u32::MAX));
        }
    }
    let limits: Limits = serde_json::from_value(fields).expect("every field was checked");
    match raw.get("frame_bytes").or(raw.get("outbound_bytes")) {
        Some(setting) if limits.frame_bytes > limits.outbound_bytes => Err(ConfigError::new(
            format!("{table}.frame_bytes"),
            &setting.place,
            "a frame of that size would not fit into outbound_bytes",
        )),
        Some(_) | None => Ok(limits),
    }
}

fn number(setting: &Setting) -> Option<u64> {
    let [text] = setting.texts.as_slice() else {
        return None;
    };
    whole(text).or_else(|| parse_size(text).ok())
}

/// The tenants of the file, their limits over those of the node.
pub(super) fn tenants(
    node: &Limits,
    raw: &BTreeMap<String, RawTenant>,
) -> Result<BTreeMap<TenantId, TenantSettings>, ConfigError> {
    let tenants = raw.iter().map(|(id, raw)| {
        let table = format!("tenants.{id}");
        let tenant = TenantId::parse(id).map_err(|e| ConfigError::new(&table, &raw.place, e))?;
        let limits = overlay(node, &raw.limits, &format!("{table}.limits"))?;
        let settings = TenantSettings {
            limits: Arc::new(limits),
            key_generation: field(
                (&table, "key_generation"),
                raw.key_generation.as_ref(),
                key_generation,
            )?,
            suspended: field((&table, "suspended"), raw.suspended.as_ref(), switch)?,
        };
        Ok((tenant, settings))
    });
    tenants.collect()
}

fn field<T: Default>(
    (table, name): (&str, &str),
    setting: Option<&Setting>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, ConfigError> {
    let Some(setting) = setting else {
        return Ok(T::default());
    };
    let parsed = match setting.texts.as_slice() {
        [text] => parse(text),
        [] | [..] => Err("expected one value".to_owned()),
    };
    parsed.map_err(|rule| wrong_field(table, name, setting, &rule))
}

/// The rule, and what was given in its place.
fn wrong_field(table: &str, name: &str, setting: &Setting, rule: &str) -> ConfigError {
    let problem = match setting.texts.as_slice() {
        [text] => with_value(rule, text),
        [] | [..] => rule.to_owned(),
    };
    ConfigError::new(format!("{table}.{name}"), &setting.place, problem)
}
