//! The credentials: the URL of Redis, given; the secrets and the admin token, given, or kept in the
//! state directory and made there once.
//!
//! Only what a command needs is read or made: a command that needs nothing of it works without a
//! state directory.

use std::path::Path;
use std::slice;

use protocol::Secret;
use router_core::auth::{Keyring, WeakSecret};

use super::checked::Config;
use super::credential_file::CredentialFile;
use super::raw::ConfigError;
use super::secrets::{ADMIN_TOKEN_FILE, SECRET_FILE, kept_in};
use super::setting_reader::SettingReader;
use super::sources::ConfigPurpose;
use super::values::{self, path};

/// Fewest bytes of an admin token: more than anybody tries over a network.
const ADMIN_TOKEN_BYTES_MIN: usize = 16;

const TOKEN_RULE: &str =
    "an admin token must be at least 16 printable ASCII characters without spaces";

/// The URL of Redis; none: this node stands alone. Errors: it is given twice, its file cannot be read,
/// or it is no such URL.
pub(super) fn redis_url(
    said: &SettingReader<'_>,
    purpose: ConfigPurpose,
    warnings: &mut Vec<String>,
) -> Result<Option<Secret<String>>, ConfigError> {
    const KEY: &str = "redis_url_file";
    let given = said.one("redis_url", values::redis_url)?;
    let Some(file) = said.one(KEY, path)? else {
        return Ok(given.map(Secret::new));
    };
    if given.is_some() {
        return Err(said.conflict(KEY, "redis_url is set too"));
    }
    if !purpose.reads_redis_url() {
        return Ok(None);
    }
    let url = only_line(said, KEY, &file, "URL", warnings)?;
    let wrong = |problem| said.conflict(KEY, format!("{}: {problem}", file.display()));
    values::redis_url(url.reveal()).map_err(wrong)?;
    Ok(Some(url))
}

/// Sets `secrets`. Errors: they are weak, cannot be read or made, or have to be given.
pub(super) fn secrets(
    said: &SettingReader<'_>,
    purpose: ConfigPurpose,
    config: &mut Config,
) -> Result<(), ConfigError> {
    if !purpose.reads_secrets() {
        return Ok(());
    }
    let (setting, file) = (said.get("secrets"), said.one("secrets_file", path)?);
    let mut source = file.clone();
    let key = match (setting, file) {
        (Some(_), Some(_)) => return Err(said.conflict("secrets_file", "secrets is set too")),
        (Some(setting), None) => {
            let secrets = setting.texts.iter().cloned().map(Secret::new);
            config.secrets = secrets.collect();
            "secrets"
        }
        (None, Some(file)) => {
            config.secrets = credentials(said, "secrets_file", &file, &mut config.warnings)?;
            "secrets_file"
        }
        (None, None) if config.redis_url.is_some() => {
            let problem = "is required with redis_url, and must be the same on every node; `t2b keys secret` makes one";
            return Err(said.conflict("secrets", problem));
        }
        (None, None) if !config.listen.ip().is_loopback() => {
            let problem = "is required if listen is not loopback; `t2b keys secret` makes one";
            return Err(said.conflict("secrets", problem));
        }
        (None, None) if !purpose.makes_secrets() => return Ok(()),
        (None, None) => {
            let kept = kept(said, config, SECRET_FILE, "secrets_file")?;
            config.secrets = vec![kept];
            let dir = config.state_dir.as_ref();
            source = dir.map(|dir| dir.join(SECRET_FILE));
            config.secret_made_in.clone_from(&source);
            "state_dir"
        }
    };
    check_secrets(&config.secrets).map_err(|problem| match source {
        Some(path) => said.conflict(key, format!("{}: {problem}", path.display())),
        None => said.conflict(key, problem),
    })
}

fn check_secrets(secrets: &[Secret<String>]) -> Result<(), String> {
    if secrets.is_empty() {
        return Err(WeakSecret::None.to_string());
    }
    for (index, secret) in secrets.iter().enumerate() {
        let number = index + 1;
        if !fits_a_line(secret.reveal()) {
            let problem = "has a line break or control character, or space at its ends";
            return Err(format!("secret {number} {problem}"));
        }
        Keyring::new(slice::from_ref(secret)).map_err(|weak| format!("secret {number}: {weak}"))?;
    }
    Ok(())
}

/// Whether a file of secrets could hold the text as a line, so that all nodes can have the same.
fn fits_a_line(secret: &str) -> bool {
    secret.trim() == secret && !secret.contains(|c: char| c.is_control() || c == '\u{feff}')
}

/// The token of `/admin/v1`; none: it is off. Errors: it cannot be used, read or made.
pub(super) fn admin_token(
    said: &SettingReader<'_>,
    purpose: ConfigPurpose,
    config: &mut Config,
) -> Result<Option<Secret<String>>, ConfigError> {
    if !purpose.reads_admin_token() {
        return Ok(None);
    }
    let file = said.one("admin_token_file", path)?;
    let (token, key) = match (said.get("admin_token"), file) {
        (Some(_), Some(_)) => {
            return Err(said.conflict("admin_token_file", "admin_token is set too"));
        }
        (Some(setting), None) => {
            let [token] = setting.texts.as_slice() else {
                return Err(said.conflict("admin_token", "expected one value"));
            };
            (Secret::new(token.clone()), "admin_token")
        }
        (None, Some(file)) => {
            let key = "admin_token_file";
            let token = only_line(said, key, &file, "token", &mut config.warnings)?;
            (token, key)
        }
        (None, None) if config.admin_listen.ip().is_loopback() && purpose.makes_admin_token() => {
            let token = kept(said, config, ADMIN_TOKEN_FILE, "admin_token_file")?;
            (token, "state_dir")
        }
        (None, None) => return Ok(None),
    };
    if is_token(token.reveal()) {
        return Ok(Some(token));
    }
    let dir = config.state_dir.as_ref().filter(|_| key == "state_dir");
    Err(match dir.map(|dir| dir.join(ADMIN_TOKEN_FILE)) {
        Some(path) => said.conflict(key, format!("{}: {TOKEN_RULE}", path.display())),
        None => said.conflict(key, TOKEN_RULE),
    })
}

/// Whether a header can carry it, and nobody guesses it.
fn is_token(text: &str) -> bool {
    text.len() >= ADMIN_TOKEN_BYTES_MIN && text.chars().all(|c| c.is_ascii_graphic())
}

fn credentials(
    said: &SettingReader<'_>,
    key: &'static str,
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<Vec<Secret<String>>, ConfigError> {
    let file = CredentialFile::read(path).map_err(|problem| said.conflict(key, problem))?;
    warnings.extend(file.warnings);
    Ok(file.credentials)
}

/// The credential of a file that holds one. `what`: its name in the error.
fn only_line(
    said: &SettingReader<'_>,
    key: &'static str,
    path: &Path,
    what: &str,
    warnings: &mut Vec<String>,
) -> Result<Secret<String>, ConfigError> {
    let mut lines = credentials(said, key, path, warnings)?;
    let (Some(line), true) = (lines.pop(), lines.is_empty()) else {
        let problem = format!("{}: expected one {what}", path.display());
        return Err(said.conflict(key, problem));
    };
    Ok(line)
}

/// A credential of the state directory. Errors: it cannot be read or made; with the key that
/// replaces it.
fn kept(
    said: &SettingReader<'_>,
    config: &Config,
    name: &str,
    instead: &str,
) -> Result<Secret<String>, ConfigError> {
    let Some(dir) = &config.state_dir else {
        let problem = format!("is not set, and there is no HOME; set {instead}, or state_dir");
        return Err(said.conflict("state_dir", problem));
    };
    kept_in(dir, name).map_err(|error| {
        let problem = format!("{error}; set {instead}, or another state_dir");
        said.conflict("state_dir", problem)
    })
}
