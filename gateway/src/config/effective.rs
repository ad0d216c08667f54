//! The configuration that holds, as a person checks it: one line a key, with its place.

use std::fmt::Write;

use protocol::Limits;

use super::Config;
use super::keys::Key;
use super::raw::Setting;

/// One key: `name = value # place`.
#[derive(Debug, Clone)]
pub(super) struct Line {
    name: &'static str,
    value: toml::Value,
    place: String,
}

impl Line {
    /// The line of a setting; the texts of a credential are not kept.
    pub(super) fn of(key: &'static Key, setting: &Setting) -> Line {
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
        Line {
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

pub(super) fn render(config: &Config) -> String {
    let mut out = String::new();
    for line in &config.effective {
        let said = format!("{} = {}", line.name, line.value);
        writeln!(out, "{said:<44} # {}", line.place).expect("a String takes everything");
    }
    table(&mut out, "limits", &config.limits);
    for (id, tenant) in &config.tenants {
        let (generation, suspended) = (tenant.key_generation, tenant.suspended);
        write!(
            out,
            "\n[tenants.\"{id}\"]\nkey_generation = {generation}\nsuspended = {suspended}\n"
        )
        .expect("a String takes everything");
        if *tenant.limits != config.limits {
            table(
                &mut out,
                &format!("tenants.\"{id}\".limits"),
                &tenant.limits,
            );
        }
    }
    out
}

fn table(out: &mut String, name: &str, limits: &Limits) {
    let fields = toml::to_string(limits).expect("limits are numbers");
    write!(out, "\n[{name}]\n{fields}").expect("a String takes everything");
}
