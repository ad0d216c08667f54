//! Reads the value of a key from the texts that were given for it, or says why it has none.

use std::fmt::Display;

use super::keys::{ConfigKey, KeyKind};
use super::raw::{ConfigError, GivenSettings, Setting, SettingPlace};

/// Longest part of a value that an error repeats, characters.
const SHOWN_CHARS_MAX: usize = 100;

/// Reads the given settings key by key.
pub(super) struct SettingReader<'a>(pub(super) &'a GivenSettings);

impl<'a> SettingReader<'a> {
    pub(super) fn get(&self, key: &'static str) -> Option<&'a Setting> {
        self.0.settings.get(key)
    }

    /// What is wrong with the value of a key. The error shows the value unless it is a credential.
    pub(super) fn wrong(&self, key: &'static str, problem: impl Display) -> ConfigError {
        match self.get(key).map(|setting| (setting, &*setting.texts)) {
            Some((setting, [text])) => wrong_text(key, &setting.place, text, problem),
            Some(_) | None => self.conflict(key, problem),
        }
    }

    /// What is wrong with a key beside others, whatever its value.
    pub(super) fn conflict(&self, key: &'static str, problem: impl Display) -> ConfigError {
        let place = self.get(key).map_or(&SettingPlace::Default, |s| &s.place);
        ConfigError::new(key, place, problem)
    }

    /// The value of a key that has one, or none. Space around it is left out.
    pub(super) fn one<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(setting) = self.get(key) else {
            return Ok(None);
        };
        let [text] = setting.texts.as_slice() else {
            return Err(self.conflict(key, "expected one value"));
        };
        parse(trimmed(key, text))
            .map(Some)
            .map_err(|problem| self.wrong(key, problem))
    }

    pub(super) fn required<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        self.one(key, parse)?
            .ok_or_else(|| self.conflict(key, "expected a value"))
    }

    /// The items of a list. Errors: the first that is wrong, by its number and its own line.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let Some(setting) = self.get(key) else {
            return Ok(Vec::new());
        };
        let items = setting.texts.iter().enumerate().map(|(index, text)| {
            parse(trimmed(key, text)).map_err(|problem| {
                let place = setting.places.get(index).unwrap_or(&setting.place);
                let number = index + 1;
                wrong_text(key, place, text, format!("item {number}: {problem}"))
            })
        });
        items.collect()
    }
}

/// Nobody means the space around a value. A path may have it, and a credential is taken as it is.
fn trimmed<'t>(key: &str, text: &'t str) -> &'t str {
    match ConfigKey::of(key).map(|key| key.kind) {
        Some(KeyKind::Path | KeyKind::Secret | KeyKind::Secrets) => text,
        Some(
            KeyKind::Address
            | KeyKind::Text
            | KeyKind::List
            | KeyKind::Switch
            | KeyKind::Duration
            | KeyKind::Size
            | KeyKind::Count
            | KeyKind::Fraction
            | KeyKind::OneOf(_),
        )
        | None => text.trim(),
    }
}

/// An error about a value of a key, which it shows unless the key is a credential.
fn wrong_text(key: &str, place: &SettingPlace, text: &str, problem: impl Display) -> ConfigError {
    match ConfigKey::of(key).is_some_and(|key| key.kind.is_secret()) {
        true => ConfigError::new(key, place, problem),
        false => ConfigError::new(key, place, with_value(problem, text)),
    }
}

/// The rule and what was given in its place; the start of it if it is long.
pub(super) fn with_value(problem: impl Display, text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{problem}; got {:?}", format!("{}…", &text[..end])),
        None => format!("{problem}; got {text:?}"),
    }
}
