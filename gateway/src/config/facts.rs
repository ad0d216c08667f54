//! What a configuration says of each key and table, as texts to compare with those of another one.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Secret;

use super::checked::Config;
use super::keys::ConfigKey;
use super::raw::SettingPlace;

/// The text of each key and table by its name: `listen`, `limits`, `plans.pro`, `tenants.alice`.
///
/// A key that nobody sets and that has no fixed default is left out: what follows from the machine is no setting.
/// Credentials are among the texts, so these are compared and never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigFacts(BTreeMap<String, Secret<String>>);

impl ConfigFacts {
    pub(crate) fn of(config: &Config) -> Self {
        let mut facts = Self(BTreeMap::new());
        let nowhere = SettingPlace::Default.to_string();
        for line in &config.effective {
            let has_default = ConfigKey::of(line.name).is_some_and(|key| !key.default.is_empty());
            if has_default || line.place != nowhere {
                facts.set(line.name, line.value.to_string());
            }
        }
        facts.add_credentials(config);
        facts.set("limits", format!("{:?}", config.limits));
        for (name, plan) in &config.plans {
            facts.set(&format!("plans.{name}"), format!("{plan:?}"));
        }
        for (tenant, settings) in &config.tenants {
            facts.set(&format!("tenants.{tenant}"), format!("{settings:?}"));
        }
        facts
    }

    /// Adds the credentials to the key that gives them. Those that the gateway made belong to no key.
    fn add_credentials(&mut self, config: &Config) {
        let secrets: Vec<_> = config.secrets.iter().collect();
        let admin_token: Vec<_> = config.admin_token.iter().collect();
        let redis_url: Vec<_> = config.redis_url.iter().collect();
        for (key, credentials) in [
            ("secrets", &secrets),
            ("secrets_file", &secrets),
            ("admin_token", &admin_token),
            ("admin_token_file", &admin_token),
            ("redis_url", &redis_url),
            ("redis_url_file", &redis_url),
        ] {
            let Some(text) = self.0.get(key) else {
                continue;
            };
            let credentials = credentials.iter().map(|it| it.reveal().as_str());
            let texts = std::iter::once(text.reveal().as_str()).chain(credentials);
            let text = texts.collect::<Vec<_>>().join("\n");
            self.set(key, text);
        }
    }

    fn set(&mut self, name: &str, text: String) {
        self.0.insert(name.to_owned(), Secret::new(text));
    }

    /// The names of which this and the other differ.
    pub(crate) fn differences(&self, other: &ConfigFacts) -> BTreeSet<String> {
        let names = self.0.keys().chain(other.0.keys());
        let differ = names.filter(|name| self.0.get(*name) != other.0.get(*name));
        differ.cloned().collect()
    }

    /// Takes over what the other says of a name.
    pub(crate) fn adopt(&mut self, name: &str, other: &ConfigFacts) {
        match other.0.get(name) {
            Some(text) => self.set(name, text.reveal().clone()),
            None => drop(self.0.remove(name)),
        }
    }
}
