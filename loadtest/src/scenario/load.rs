//! Loads a scenario by its name or path, and checks it.

use anyhow::{Context, Result};

use super::built_in::text_of;
use super::load_scenario::LoadScenario;
use super::overrides;

impl LoadScenario {
    /// Takes a built-in scenario by its name, or a file by its path, and applies `key=value`s.
    ///
    /// Errors: no such scenario or file; a key that does not exist, named; a value out of range.
    pub fn load(name_or_path: &str, changes: &[String]) -> Result<Self> {
        let text = text_of(name_or_path)?;
        Self::parse(&text, changes).with_context(|| name_or_path.to_owned())
    }

    /// Reads a scenario from its text and applies `key=value`s.
    pub fn parse(text: &str, changes: &[String]) -> Result<Self> {
        // Once as it is, as an error then shows the line.
        let written: Self = toml::from_str(text)?;
        let scenario = if changes.is_empty() {
            written
        } else {
            overrides::apply(text, changes)?
        };
        scenario.check()?;
        Ok(scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::BUILT_IN;

    #[test]
    fn every_built_in_scenario_is_good_and_has_its_name() {
        for (name, _) in BUILT_IN {
            let scenario = LoadScenario::load(name, &[]).unwrap();
            assert_eq!(scenario.name, *name);
            assert!(scenario.about.ends_with('.'), "{name}");
            assert!(scenario.duration.as_secs_f64() <= 10.0, "{name}");
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        for (text, key) in [
            ("durration = \"1s\"\n[idle]\nsockets = 1", "durration"),
            ("[idle]\nsocket = 1", "socket"),
            ("[idle]\nsockets = 1\n[thresholds]\np98_ms = 1.0", "p98_ms"),
            ("[pingpang]\npairs = 1", "pingpang"),
        ] {
            let error = LoadScenario::parse(text, &[]).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for text in [
            "",
            "threads = 0\n[idle]\nsockets = 1",
            "duration = \"0\"\n[idle]\nsockets = 1",
            "duration = \"25h\"\n[idle]\nsockets = 1",
            "duration = \"5\"\n[idle]\nsockets = 1",
            "message_bytes = 300000\n[idle]\nsockets = 1",
            "source_addresses = [\"127.0.0.1\", \"127.0.0.1\"]\n[idle]\nsockets = 1",
            "[idle]\nsockets = 0",
            "[open]\npairs = 1\nrate = 0.0",
            "[open]\npairs = 1\nrate = nan",
            "[slow]\npairs = 10\nstalled = 1.5",
            "[partials]\npairs = 1\nstream = 1",
            "[pingpong]\npairs = 1\nwindow = 0",
        ] {
            assert!(LoadScenario::parse(text, &[]).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = LoadScenario::load("pongping", &[]).unwrap_err().to_string();
        assert!(error.contains("pingpong, open, idle"), "{error}");
    }
}
