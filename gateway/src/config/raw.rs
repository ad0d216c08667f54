//! The settings as they were given, and where: texts that are not checked yet.
//!
//! No `Debug`: the texts may be credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::keys::{ConfigKey, KEYS};

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingPlace {
    /// On the command line.
    Flag(String),
    /// In the environment.
    Environment(String),
    /// In the file, at this line, from 1.
    File(PathBuf, usize),
    /// Nowhere.
    Default,
}

impl fmt::Display for SettingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingPlace::Flag(flag) => write!(f, "--{flag}"),
            SettingPlace::Environment(variable) => f.write_str(variable),
            SettingPlace::File(path, line) => write!(f, "{}:{line}", path.display()),
            SettingPlace::Default => f.write_str("default"),
        }
    }
}

/// Why there is no configuration. Exit code 64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} ({place}): {problem}")]
pub struct ConfigError {
    /// The key, or the table and field.
    pub key: String,
    /// Where it was given.
    pub place: SettingPlace,
    /// What is wrong with it, without any credential.
    pub problem: String,
}

impl ConfigError {
    pub(super) fn new(
        key: impl Into<String>,
        place: &SettingPlace,
        problem: impl fmt::Display,
    ) -> ConfigError {
        ConfigError {
            key: key.into(),
            place: place.clone(),
            problem: problem.to_string(),
        }
    }
}

/// One value: its texts (several only for lists), and where it was given.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(super) texts: Vec<String>,
    pub(super) place: SettingPlace,
    /// Where each text was given, if they may be in several lines.
    pub(super) places: Vec<SettingPlace>,
}

impl Setting {
    /// The value of a flag or variable: lists are split at commas.
    pub(super) fn from_text(key: &ConfigKey, text: &str, place: SettingPlace) -> Setting {
        let texts = if key.kind.is_list() {
            let parts = text.split(',').map(str::trim);
            parts.filter(|p| !p.is_empty()).map(Into::into).collect()
        } else {
            vec![text.to_owned()]
        };
        Setting {
            texts,
            place,
            places: Vec::new(),
        }
    }
}

/// Numbers of a `[limits]` table, by field.
pub(super) type RawLimits = BTreeMap<String, Setting>;

/// A `[plans.<name>]` table.
#[derive(Clone)]
pub(super) struct RawPlan {
    pub place: SettingPlace,
    pub limits: RawLimits,
    /// By meter.
    pub month: BTreeMap<String, RawAllowance>,
}

/// A table of `[plans.<name>.month]`.
#[derive(Clone)]
pub(super) struct RawAllowance {
    pub place: SettingPlace,
    pub soft: Option<Setting>,
    pub hard: Option<Setting>,
}

/// A `[tenants.<id>]` table.
#[derive(Clone)]
pub(super) struct RawTenant {
    pub place: SettingPlace,
    pub limits: RawLimits,
    pub plan: Option<Setting>,
    pub key_generation: Option<Setting>,
    pub suspended: Option<Setting>,
}

/// All settings that were given, in one or more places.
#[derive(Clone, Default)]
pub struct GivenSettings {
    pub(super) settings: BTreeMap<&'static str, Setting>,
    pub(super) limits: RawLimits,
    pub(super) plans: BTreeMap<String, RawPlan>,
    pub(super) tenants: BTreeMap<String, RawTenant>,
}

impl GivenSettings {
    /// Adds a flag of the command line; what is there already stays.
    pub fn set_flag(&mut self, key: &'static ConfigKey, text: &str) {
        let setting = Setting::from_text(key, text, SettingPlace::Flag(key.flag()));
        self.settings.entry(key.name).or_insert(setting);
    }

    /// Adds what `weaker` says of keys that are not set here.
    pub(super) fn or(mut self, weaker: GivenSettings) -> GivenSettings {
        for (name, setting) in weaker.settings {
            self.settings.entry(name).or_insert(setting);
        }
        self.limits.extend(weaker.limits);
        self.plans.extend(weaker.plans);
        self.tenants.extend(weaker.tenants);
        self
    }

    /// The table's defaults.
    pub(super) fn defaults() -> GivenSettings {
        let set = KEYS.iter().filter(|key| !key.default.is_empty());
        let settings = set.map(|key| {
            let setting = Setting::from_text(key, key.default, SettingPlace::Default);
            (key.name, setting)
        });
        GivenSettings {
            settings: settings.collect(),
            ..GivenSettings::default()
        }
    }
}
