//! What one key came to, and where from.

use super::keys::ConfigKey;
use super::raw::Setting;

/// One key: `name = value # place`.
#[derive(Debug, Clone)]
pub(super) struct EffectiveLine {
    pub(super) name: &'static str,
    pub(super) value: toml::Value,
    pub(super) place: String,
}

impl EffectiveLine {
    /// The line of a setting; the texts of a credential are not kept.
    pub(super) fn of(key: &'static ConfigKey, setting: &Setting) -> EffectiveLine {
        let mask = |text: &String| match key.kind.is_secret() {
            true => "***".to_owned(),
            false => text.clone(),
        };
        let mut texts = setting.texts.iter().map(mask).map(toml::Value::String);
        let value = if key.kind.is_list() {
            toml::Value::Array(texts.collect())
        } else {
            typed(texts.next().unwrap_or(toml::Value::String(String::new())))
        };
        EffectiveLine {
            name: key.name,
            value,
            place: setting.place.to_string(),
        }
    }
}

/// Switches and counts without quotes, as one would write them in a file.
fn typed(value: toml::Value) -> toml::Value {
    let text = value.as_str().unwrap_or_default();
    if let Ok(switch) = text.parse() {
        return toml::Value::Boolean(switch);
    }
    text.parse().map_or(value, toml::Value::Integer)
}
