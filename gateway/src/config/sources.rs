//! Where configuration comes from: flags over `T2B_<NAME>` over a TOML file over defaults.
//!
//! The environment is an argument, so that tests need none of the process's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::config_file::from_file;
use super::keys::KEYS;
use super::raw::{ConfigError, GivenSettings, Setting, SettingPlace};

/// Names the file.
const CONFIG_VARIABLE: &str = "T2B_CONFIG";

/// `T2B_…` variables that are no configuration keys: they belong to client commands, to tests, and to the
/// programs that `t2b bot exec` starts.
const OTHER_VARIABLES: &[&str] = &[
    CONFIG_VARIABLE,
    "T2B_KEY",
    "T2B_URL",
    "T2B_BOT",
    "T2B_CONNECTION_ID",
    "T2B_FROM",
    "T2B_MESSAGE_ID",
    "T2B_REPLY_TO",
];

/// What a command does with the configuration: no other credentials are read, or made in the state
/// directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConfigPurpose {
    /// Runs a gateway: the secrets and the admin token.
    #[default]
    Serve,
    /// Issues and verifies keys: the secrets.
    Keys,
    /// Asks a running gateway: the admin token.
    Admin,
    /// Prints the configuration: what is given is checked, and nothing is made.
    Show,
    /// A running gateway reads its configuration again: as [`Serve`](Self::Serve), but nothing is made.
    Reload,
}

impl ConfigPurpose {
    pub(super) fn reads_secrets(self) -> bool {
        match self {
            ConfigPurpose::Serve
            | ConfigPurpose::Keys
            | ConfigPurpose::Show
            | ConfigPurpose::Reload => true,
            ConfigPurpose::Admin => false,
        }
    }

    /// Keys are issued and verified with the generation that Redis holds; a running gateway asks it itself.
    pub(super) fn reads_redis_url(self) -> bool {
        self.reads_secrets()
    }

    pub(super) fn makes_secrets(self) -> bool {
        self.reads_secrets() && self.makes_files()
    }

    pub(super) fn reads_admin_token(self) -> bool {
        match self {
            ConfigPurpose::Serve
            | ConfigPurpose::Admin
            | ConfigPurpose::Show
            | ConfigPurpose::Reload => true,
            ConfigPurpose::Keys => false,
        }
    }

    pub(super) fn makes_admin_token(self) -> bool {
        self.reads_admin_token() && self.makes_files()
    }

    fn makes_files(self) -> bool {
        !matches!(self, ConfigPurpose::Show | ConfigPurpose::Reload)
    }
}

/// Everything that configuration is made from.
#[derive(Clone, Default)]
pub struct ConfigSources {
    /// What the command line says.
    pub flags: GivenSettings,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The file; `T2B_CONFIG` if none.
    pub file: Option<PathBuf>,
    /// How many files the process may have open; see [`raise_file_limit`](super::raise_file_limit).
    pub file_limit: u64,
    /// What the configuration is for.
    pub purpose: ConfigPurpose,
}

impl ConfigSources {
    /// All sources, the stronger over the weaker. Errors: a key that does not exist, a file that
    /// cannot be read or is no TOML.
    pub(super) fn merge(self) -> Result<GivenSettings, ConfigError> {
        let named = self.environment.get(CONFIG_VARIABLE);
        let file = match (self.file, named) {
            (Some(path), _) => from_file(&path, &SettingPlace::Flag("config".to_owned()))?,
            (None, Some(path)) if !path.is_empty() => {
                let place = SettingPlace::Environment(CONFIG_VARIABLE.to_owned());
                from_file(Path::new(path), &place)?
            }
            (None, _) => GivenSettings::default(),
        };
        let environment = from_environment(&self.environment)?;
        Ok(self
            .flags
            .or(environment)
            .or(file)
            .or(GivenSettings::defaults()))
    }
}

fn from_environment(environment: &BTreeMap<String, String>) -> Result<GivenSettings, ConfigError> {
    let mut raw = GivenSettings::default();
    for (variable, text) in environment.iter().filter(|(_, text)| !text.is_empty()) {
        let Some(name) = variable.strip_prefix("T2B_") else {
            continue;
        };
        let place = SettingPlace::Environment(variable.clone());
        if let Some(key) = KEYS.iter().find(|key| key.variable() == *variable) {
            raw.settings
                .insert(key.name, Setting::from_text(key, text, place));
        } else if !OTHER_VARIABLES.contains(&variable.as_str()) && !is_service_link(name) {
            let name = name.to_ascii_lowercase();
            return Err(ConfigError::new(name, &place, "no such key"));
        }
    }
    Ok(raw)
}

/// Kubernetes puts `T2B_SERVICE_HOST`, `T2B_PORT_3000_TCP`, … into every container beside a service
/// of the name `t2b`.
fn is_service_link(name: &str) -> bool {
    let name = format!("_{name}");
    name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.contains("_PORT")
}
