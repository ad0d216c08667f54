//! API keys for many tenants: made from a gateway's secret, or read from a list.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hmac::{Hmac, KeyInit, Mac};
use protocol::{Secret, TenantId};
use sha2::Sha256;

/// Where keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Keys of as many tenants as are wanted.
    Secret(Secret<String>),
    /// These, in turn.
    Keys(Vec<Secret<String>>),
}

/// What the command line and the environment say of them.
#[derive(Debug, Default)]
pub struct GivenCredentials {
    /// `--key`, any number.
    pub keys: Vec<Secret<String>>,
    /// `--keys`: a file of keys.
    pub keys_file: Option<PathBuf>,
    /// `--secrets` or `T2B_SECRETS`: a comma list, of which the first signs.
    pub secrets: Option<Secret<String>>,
    /// `--secrets-file`: one a line, of which the first signs.
    pub secrets_file: Option<PathBuf>,
}

impl KeySource {
    /// Takes the first that is given; for gateways of this machine, the secret in their state
    /// directory is the last.
    pub fn find(given: GivenCredentials, is_local: bool) -> Result<Self> {
        if let Some(path) = &given.keys_file {
            let text = read(path)?;
            let mut keys = given.keys;
            keys.extend(keys_of(&text));
            ensure!(!keys.is_empty(), "{}: holds no key", path.display());
            return Ok(Self::Keys(keys));
        }
        if !given.keys.is_empty() {
            return Ok(Self::Keys(given.keys));
        }
        if let Some(list) = &given.secrets {
            return first_of(list.reveal().split(',')).context("secrets: empty");
        }
        if let Some(path) = &given.secrets_file {
            let text = read(path)?;
            let first = first_of(text.lines());
            return first.with_context(|| format!("{}: empty", path.display()));
        }
        if !is_local {
            bail!("no credentials: give --secrets-file, or --keys with a list of API keys");
        }
        let path = state_dir()?.join("secret");
        let text = read(&path).context(
            "no credentials given, and no gateway of this machine keeps its secret here",
        )?;
        let first = first_of(text.lines());
        first.with_context(|| format!("{}: empty", path.display()))
    }

    /// The key of the tenant with this number; `prefix` names tenants that are made up.
    ///
    /// Errors: the prefix makes no name of a tenant.
    pub fn key(&self, prefix: &str, tenant: usize) -> Result<Secret<String>> {
        match self {
            Self::Secret(secret) => sign(secret, &format!("{prefix}{tenant}")),
            Self::Keys(keys) => Ok(keys[tenant % keys.len()].clone()),
        }
    }
}

/// The API key of a tenant in its first generation. Source: docs/protocol.md.
fn sign(secret: &Secret<String>, tenant: &str) -> Result<Secret<String>> {
    let tenant = TenantId::parse(tenant).with_context(|| format!("tenant {tenant}"))?;
    let keyed = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes());
    let mac = keyed
        .expect("HMAC takes keys of any length")
        .chain_update(tenant.as_str())
        .finalize()
        .into_bytes();
    let hex: String = mac[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Secret::new(format!("t2b_{}_{hex}", tenant.as_str())))
}

/// One a line: a key, or a tenant and its key with a comma between. `#` begins a remark.
fn keys_of(text: &str) -> impl Iterator<Item = Secret<String>> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let key = line.rsplit(',').next().unwrap_or(line);
        Secret::new(key.trim().to_owned())
    })
}

fn first_of<'a>(mut secrets: impl Iterator<Item = &'a str>) -> Option<KeySource> {
    let first = secrets.find(|it| !it.trim().is_empty())?;
    Some(KeySource::Secret(Secret::new(first.trim().to_owned())))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn state_dir() -> Result<PathBuf> {
    let named = |name| {
        env::var_os(name)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    named("T2B_STATE_DIR")
        .or_else(|| Some(named("HOME")?.join(".local/state/t2b")))
        .context("no credentials given, and there is no HOME to look in")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret<String> {
        Secret::new("a-secret-of-more-than-32-characters".to_owned())
    }

    #[test]
    fn a_key_has_the_form_of_the_protocol() {
        let key = KeySource::Secret(secret()).key("load-", 7).unwrap();
        let (head, mac) = key.reveal().rsplit_once('_').unwrap();
        assert_eq!(head, "t2b_load-7");
        assert_eq!(mac.len(), 16);
        assert!(KeySource::Secret(secret()).key("-", 7).is_err());
    }

    #[test]
    fn a_list_has_a_key_a_line_with_or_without_its_tenant() {
        let text = "# mine\nt2b_a_1\n\n b , t2b_b_2 \n";
        let keys: Vec<_> = keys_of(text).map(|key| key.reveal().clone()).collect();
        assert_eq!(keys, ["t2b_a_1", "t2b_b_2"]);
    }

    #[test]
    fn keys_of_a_list_are_taken_in_turn() {
        let keys = ["k0", "k1"].map(|key| Secret::new(key.to_owned()));
        let found = KeySource::Keys(keys.to_vec());
        assert_eq!(found.key("x", 3).unwrap().reveal(), "k1");
    }

    #[test]
    fn the_first_secret_signs() {
        let given = GivenCredentials {
            secrets: Some(Secret::new("one, two".to_owned())),
            ..GivenCredentials::default()
        };
        let KeySource::Secret(first) = KeySource::find(given, false).unwrap() else {
            panic!("a secret was given");
        };
        assert_eq!(first.reveal(), "one");
    }

    #[test]
    fn a_gateway_elsewhere_needs_credentials() {
        let error = KeySource::find(GivenCredentials::default(), false).unwrap_err();
        assert!(error.to_string().contains("--secrets-file"), "{error}");
    }

    #[test]
    fn nothing_prints_them() {
        assert!(!format!("{:?}", KeySource::Secret(secret())).contains("more"));
    }
}
