//! The configuration file: TOML, read into texts and their places.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::bounded_file::{CONFIG_BYTES_MAX, read_text};
use super::keys::{ConfigKey, KeyKind};
use super::raw::{
    ConfigError, GivenSettings, RawAllowance, RawLimits, RawPlan, RawTenant, Setting, SettingPlace,
};
use super::setting_reader::with_value;

/// `named`: where the file was named.
pub(super) fn from_file(path: &Path, named: &SettingPlace) -> Result<GivenSettings, ConfigError> {
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
            "plans" => raw.plans = file.tables("plans", value, File::plan)?,
            "tenants" => raw.tenants = file.tables("tenants", value, File::tenant)?,
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

    /// A table of tables: what `read` makes of each, by name. It is given the name with those of the tables
    /// around it, and the place.
    fn tables<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        read: impl Fn(&Self, &str, SettingPlace, &DeTable<'_>) -> Result<T, ConfigError>,
    ) -> Result<BTreeMap<String, T>, ConfigError> {
        let tables = self.table(key, value)?.iter().map(|(name, value)| {
            let key = format!("{key}.{}", name.get_ref());
            let place = self.place(Some(name.span()));
            let table = read(self, &key, place, self.table(&key, value)?)?;
            Ok((name.get_ref().to_string(), table))
        });
        tables.collect()
    }

    fn plan(
        &self,
        key: &str,
        place: SettingPlace,
        table: &DeTable<'_>,
    ) -> Result<RawPlan, ConfigError> {
        let mut plan = RawPlan {
            place,
            limits: RawLimits::default(),
            month: BTreeMap::new(),
        };
        for (name, value) in table {
            let key = format!("{key}.{}", name.get_ref());
            match name.get_ref().as_ref() {
                "limits" => plan.limits = self.limits(&key, value)?,
                "month" => plan.month = self.tables(&key, value, Self::allowance)?,
                _ => return Err(self.no_such_key(&key, name.span())),
            }
        }
        Ok(plan)
    }

    fn allowance(
        &self,
        key: &str,
        place: SettingPlace,
        table: &DeTable<'_>,
    ) -> Result<RawAllowance, ConfigError> {
        let mut allowance = RawAllowance {
            place,
            soft: None,
            hard: None,
        };
        for (name, value) in table {
            let key = format!("{key}.{}", name.get_ref());
            match name.get_ref().as_ref() {
                "soft" => allowance.soft = Some(self.setting(&key, value)?),
                "hard" => allowance.hard = Some(self.setting(&key, value)?),
                _ => return Err(self.no_such_key(&key, name.span())),
            }
        }
        Ok(allowance)
    }

    fn tenant(
        &self,
        key: &str,
        place: SettingPlace,
        table: &DeTable<'_>,
    ) -> Result<RawTenant, ConfigError> {
        let mut tenant = RawTenant {
            place,
            limits: RawLimits::default(),
            plan: None,
            key_generation: None,
            suspended: None,
        };
        for (name, value) in table {
            let key = format!("{key}.{}", name.get_ref());
            match name.get_ref().as_ref() {
                "limits" => tenant.limits = self.limits(&key, value)?,
                "plan" => tenant.plan = Some(self.setting(&key, value)?),
                "key_generation" => tenant.key_generation = Some(self.setting(&key, value)?),
                "suspended" => tenant.suspended = Some(self.setting(&key, value)?),
                _ => return Err(self.no_such_key(&key, name.span())),
            }
        }
        Ok(tenant)
    }

    fn no_such_key(&self, key: &str, span: Range<usize>) -> ConfigError {
        ConfigError::new(key, &self.place(Some(span)), "no such key")
    }
}
