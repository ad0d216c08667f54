//! Where configuration comes from: flags over `T2B_<NAME>` over a TOML file over defaults.
//!
//! The environment is an argument, so that tests need none of the process's.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::bounded_file::{CONFIG_BYTES_MAX, read_text};
use super::keys::{ConfigKey, KEYS, KeyKind};
use super::raw::{ConfigError, GivenSettings, RawLimits, RawTenant, Setting, SettingPlace};
use super::setting_reader::with_value;

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
}

impl ConfigPurpose {
    pub(super) fn reads_secrets(self) -> bool {
        match self {
            ConfigPurpose::Serve | ConfigPurpose::Keys | ConfigPurpose::Show => true,
            ConfigPurpose::Admin => false,
        }
    }

    pub(super) fn makes_secrets(self) -> bool {
        self.reads_secrets() && self != ConfigPurpose::Show
    }

    pub(super) fn reads_admin_token(self) -> bool {
        match self {
            ConfigPurpose::Serve | ConfigPurpose::Admin | ConfigPurpose::Show => true,
            ConfigPurpose::Keys => false,
        }
    }

    pub(super) fn makes_admin_token(self) -> bool {
        self.reads_admin_token() && self != ConfigPurpose::Show
    }
}

/// Everything that configuration is made from.
#[derive(Default)]
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

/// `named`: where the file was named.
fn from_file(path: &Path, named: &SettingPlace) -> Result<GivenSettings, ConfigError> {
    let text = read_text(path, CONFIG_BYTES_MAX).map_err(|e| {
        let problem = format!("{}: {e}", path.display());
        ConfigError::new("config", named, problem)
    })?;
    let file = File { path, text: &text };
    // Not the error's own `Display`: that prints the line, which may hold a secret.
    let table = DeTable::parse(&text)
        .map_err(|e| ConfigError::new("config", &file.place(e.span()), e.message()))?;
    let mut raw = GivenSettings::default();
    for (name, value) in table.get_ref() {
        match name.get_ref().as_ref() {
            "limits" => raw.limits = file.limits("limits", value)?,
            "tenants" => {
                for (id, value) in file.table("tenants", value)? {
                    let place = file.place(Some(id.span()));
                    let tenant = file.tenant(id.get_ref(), place, value)?;
                    raw.tenants.insert(id.get_ref().to_string(), tenant);
                }
            }
            known => {
                let place = file.place(Some(name.span()));
                let key = ConfigKey::of(known)
                    .ok_or_else(|| ConfigError::new(known, &place, "no such key"))?;
                if let KeyKind::List = key.kind {
                    file.only_texts(known, value)?;
                }
                raw.settings.insert(key.name, file.setting(known, value)?);
            }
        }
    }
    Ok(raw)
}

/// A file under way, for the places of its errors.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn place(&self, span: Option<Range<usize>>) -> SettingPlace {
        let before = span.and_then(|span| self.text.get(..span.start));
        let line = 1 + before.map_or(0, |text| text.matches('\n').count());
        SettingPlace::File(self.path.to_owned(), line)
    }

    fn error(&self, key: &str, value: &Spanned<DeValue<'_>>, problem: &str) -> ConfigError {
        ConfigError::new(key, &self.place(Some(value.span())), problem)
    }

    fn table<'v, 'i>(
        &self,
        key: &str,
        value: &'v Spanned<DeValue<'i>>,
    ) -> Result<&'v DeTable<'i>, ConfigError> {
        value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.error(key, value, "expected a table"))
    }

    fn setting(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Setting, ConfigError> {
        let mut places = Vec::new();
        let texts = match value.get_ref() {
            DeValue::Array(items) => {
                let spans = items.iter().map(|item| self.place(Some(item.span())));
                places = spans.collect();
                items.iter().map(|item| self.scalar(key, item)).collect()
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => self.scalar(key, value).map(|text| vec![text]),
        };
        Ok(Setting {
            texts: texts?,
            place: self.place(Some(value.span())),
            places,
        })
    }

    /// Errors: an item that is no text: a number would be taken for a name.
    fn only_texts(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<(), ConfigError> {
        let items = match value.get_ref().as_array() {
            Some(items) => items.iter().collect(),
            None => vec![value],
        };
        let mut numbered = (1..).zip(items);
        match numbered.find(|(_, item)| item.get_ref().as_str().is_none()) {
            None => Ok(()),
            Some((number, item)) => {
                let rule = format!("item {number}: expected a quoted string");
                let problem = with_value(rule, &self.scalar(key, item)?);
                Err(self.error(key, item, &problem))
            }
        }
    }

    fn scalar(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
            DeValue::Float(number) => Ok(number.as_str().to_owned()),
            DeValue::Boolean(yes) => Ok(yes.to_string()),
            DeValue::Integer(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                Err(self.error(key, value, "expected a string, a number, true or false"))
            }
        }
    }

    fn limits(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<RawLimits, ConfigError> {
        let fields = self.table(key, value)?.iter();
        let settings = fields.map(|(name, value)| {
            let setting = self.setting(&format!("{key}.{}", name.get_ref()), value)?;
            Ok((name.get_ref().to_string(), setting))
        });
        settings.collect()
    }

    fn tenant(
        &self,
        id: &str,
        place: SettingPlace,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<RawTenant, ConfigError> {
        let table = format!("tenants.{id}");
        let mut tenant = RawTenant {
            place,
            limits: RawLimits::default(),
            key_generation: None,
            suspended: None,
        };
        for (name, value) in self.table(&table, value)? {
            let key = format!("{table}.{}", name.get_ref());
            match name.get_ref().as_ref() {
                "limits" => tenant.limits = self.limits(&key, value)?,
                "key_generation" => tenant.key_generation = Some(self.setting(&key, value)?),
                "suspended" => tenant.suspended = Some(self.setting(&key, value)?),
                _ => {
                    let place = self.place(Some(name.span()));
                    return Err(ConfigError::new(key, &place, "no such key"));
                }
            }
        }
        Ok(tenant)
    }
}
