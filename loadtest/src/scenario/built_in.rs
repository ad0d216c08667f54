//! The built-in scenarios.

use std::fs;

use anyhow::{Result, bail};

/// The scenarios that the program brings along: name and file.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("pingpong", include_str!("../../scenarios/pingpong.toml")),
    ("open", include_str!("../../scenarios/open.toml")),
    ("idle", include_str!("../../scenarios/idle.toml")),
    ("fanout", include_str!("../../scenarios/fanout.toml")),
    ("churn", include_str!("../../scenarios/churn.toml")),
    ("storm", include_str!("../../scenarios/storm.toml")),
    ("slow", include_str!("../../scenarios/slow.toml")),
    ("mixed", include_str!("../../scenarios/mixed.toml")),
];

/// The text of a built-in scenario, or of a file.
pub fn text_of(name_or_path: &str) -> Result<String> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
        return Ok((*text).to_owned());
    }
    match fs::read_to_string(name_or_path) {
        Ok(text) => Ok(text),
        Err(error) => {
            let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            bail!(
                "{name_or_path}: neither a file ({error}) nor one of {}",
                names.join(", ")
            )
        }
    }
}
