//! Who is speaking: API keys and client tokens, checked without asking anybody.
//!
//! A key is `t2b_<userId>_<16 hex>`, the hex being the head of HMAC-SHA256(secret, userId); after a
//! revoke it is `t2b_<userId>_<g>-<16 hex>` over `userId:g`. The MAC is checked here, before
//! anything is looked up; whether `g` is still the tenant's generation is the tenant's to say.
//!
//! `token.rs` has client tokens, `throttle.rs` counts failures by their `source.rs`.

mod source;
mod throttle;
mod token;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use protocol::{Secret, TenantId};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::env::Millis;
use crate::permit::{Grant, Scope};

pub use protocol::token::TokenScope;
pub use source::Source;
pub use throttle::{Attempt, Tally, Throttle};
pub use token::Claims;

/// Fewest bytes of a secret.
pub const SECRET_BYTES_MIN: usize = 32;
/// Fewest distinct characters of a secret: `aaaa…` is no secret.
pub const SECRET_DISTINCT_MIN: usize = 10;
const KEY_PREFIX: &str = "t2b_";
const MAC_HEX: usize = 16;

/// A credential as it came from the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// `t2b_…`.
    ApiKey(Secret<String>),
    /// A compact JWS.
    Token(Secret<String>),
}

impl Credential {
    /// Tells a key from a token by its beginning, as bearer headers and queries need it.
    pub fn from_bearer(text: &str) -> Self {
        let secret = Secret::new(text.to_owned());
        if text.starts_with(KEY_PREFIX) {
            Self::ApiKey(secret)
        } else {
            Self::Token(secret)
        }
    }

    /// Whom it claims to be, unverified: only to count failures by.
    pub fn claimed(&self) -> Option<TenantId> {
        match self {
            Credential::ApiKey(key) => parse_key(key.reveal()).map(|parts| parts.tenant),
            Credential::Token(token) => token::claimed(token.reveal()),
        }
    }
}

/// Why a credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It is not one of ours, or not of the tenant's present generation.
    #[error("credential is not valid")]
    Invalid,
    /// It was one of ours, until it ended.
    #[error("token is expired")]
    Expired,
    /// No secret of this node made it, but another node has a secret that this one lacks: it may be
    /// good there, and here soon.
    #[error("credential cannot be checked by this node yet")]
    Later,
    /// It failed, and so did too many others from there.
    #[error("too many failed credentials; retry after {retry_after_ms} ms")]
    Throttled {
        /// When to try again.
        retry_after_ms: Millis,
    },
}

/// Why a text is no secret. The text itself is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Too short.
    #[error("a secret needs at least {SECRET_BYTES_MIN} bytes")]
    Short,
    /// Too uniform.
    #[error("a secret needs at least {SECRET_DISTINCT_MIN} distinct characters")]
    Uniform,
    /// None was given.
    #[error("at least one secret is needed")]
    None,
}

/// What was verified, and by which secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What the bearer may do.
    pub grant: Grant,
    /// Whether a secret other than the first verified it: somebody still uses an old one.
    pub old_secret: bool,
}

struct KeySecret {
    keys: Hmac<Sha256>,
    tokens: Hmac<Sha256>,
}

/// The secrets of a gateway: the first signs, all verify.
pub struct Keyring {
    secrets: Vec<KeySecret>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({} secrets)", self.secrets.len())
    }
}

impl Keyring {
    /// A keyring of checked secrets. Errors: [`WeakSecret`].
    pub fn new(secrets: &[Secret<String>]) -> Result<Self, WeakSecret> {
        if secrets.is_empty() {
            return Err(WeakSecret::None);
        }
        let secrets = secrets.iter().map(|secret| {
            let bytes = secret.reveal().as_bytes();
            if bytes.len() < SECRET_BYTES_MIN {
                return Err(WeakSecret::Short);
            }
            let mut seen = [false; 256];
            bytes.iter().for_each(|b| seen[usize::from(*b)] = true);
            if seen.iter().filter(|seen| **seen).count() < SECRET_DISTINCT_MIN {
                return Err(WeakSecret::Uniform);
            }
            Ok(KeySecret {
                keys: keyed(bytes),
                tokens: keyed(secret.derive("t2b/client-token/v1").reveal()),
            })
        });
        Ok(Self {
            secrets: secrets.collect::<Result<_, _>>()?,
        })
    }

    /// The API key of a tenant and generation, signed with the first secret.
    pub fn issue_key(&self, tenant: &TenantId, generation: u64) -> Secret<String> {
        let tag = key_mac(&self.secrets[0].keys, tenant, generation);
        Secret::new(match generation {
            0 => format!("{KEY_PREFIX}{tenant}_{tag}"),
            g => format!("{KEY_PREFIX}{tenant}_{g}-{tag}"),
        })
    }

    /// A client token of these claims, signed with the first secret.
    pub fn issue_token(&self, claims: &Claims) -> Secret<String> {
        Secret::new(token::sign(&self.secrets[0].tokens, claims))
    }

    /// Checks a credential. Errors: `Invalid`, `Expired`. The work is the same whichever secret
    /// verifies, and no comparison stops early.
    pub fn verify(&self, credential: &Credential, now_ms: Millis) -> Result<Verified, AuthError> {
        match credential {
            Credential::ApiKey(key) => self.verify_key(key.reveal()),
            Credential::Token(token) => self.verify_token(token.reveal(), now_ms),
        }
    }

    fn verify_key(&self, key: &str) -> Result<Verified, AuthError> {
        let KeyParts {
            tenant,
            generation,
            tag,
        } = parse_key(key).ok_or(AuthError::Invalid)?;
        let used = self.first_match(|secret| {
            key_mac(&secret.keys, &tenant, generation)
                .as_bytes()
                .ct_eq(tag.as_bytes())
        });
        let used = used.ok_or(AuthError::Invalid)?;
        let old_secret = used > 0;
        let grant = Grant {
            tenant,
            scope: Scope::Key,
            old_secret,
            generation,
            terms: None,
        };
        Ok(Verified { grant, old_secret })
    }

    fn verify_token(&self, token: &str, now_ms: Millis) -> Result<Verified, AuthError> {
        let parts = token::split(token).ok_or(AuthError::Invalid)?;
        let used = self.first_match(|secret| {
            mac(&secret.tokens, parts.signed.as_bytes()).ct_eq(&parts.signature)
        });
        let used = used.ok_or(AuthError::Invalid)?;
        let old_secret = used > 0;
        let grant = Grant {
            old_secret,
            ..token::grant_of(&parts, now_ms)?
        };
        Ok(Verified { grant, old_secret })
    }

    fn first_match(&self, matches: impl Fn(&KeySecret) -> subtle::Choice) -> Option<usize> {
        let mut found = None;
        for (i, secret) in self.secrets.iter().enumerate() {
            if bool::from(matches(secret)) && found.is_none() {
                found = Some(i);
            }
        }
        found
    }
}

struct KeyParts<'a> {
    tenant: TenantId,
    generation: u64,
    tag: &'a str,
}

/// Splits a key at its last `_`, as tenants may have underscores.
fn parse_key(key: &str) -> Option<KeyParts<'_>> {
    let (user, tail) = key.strip_prefix(KEY_PREFIX)?.rsplit_once('_')?;
    let (generation, tag) = match tail.split_once('-') {
        None => (0, tail),
        Some((digits, tag)) => (parse_generation(digits)?, tag),
    };
    let is_tag =
        tag.len() == MAC_HEX && tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_tag {
        return None;
    }
    Some(KeyParts {
        tenant: TenantId::parse(user).ok()?,
        generation,
        tag,
    })
}

/// A generation above 0 has one spelling: no sign, no leading zero.
fn parse_generation(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    plain.then(|| digits.parse().ok()).flatten()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn mac(key: &Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    key.clone()
        .chain_update(message)
        .finalize()
        .into_bytes()
        .into()
}

fn key_mac(key: &Hmac<Sha256>, tenant: &TenantId, generation: u64) -> String {
    let tag = match generation {
        0 => mac(key, tenant.as_str().as_bytes()),
        g => mac(key, format!("{tenant}:{g}").as_bytes()),
    };
    tag[..MAC_HEX / 2]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

    fn ring(secrets: &[&str]) -> Keyring {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|s| Secret::new((*s).to_owned()))
            .collect();
        Keyring::new(&secrets).unwrap()
    }

    fn verify(ring: &Keyring, key: &str) -> Result<Verified, AuthError> {
        ring.verify(&Credential::ApiKey(Secret::new(key.to_owned())), 0)
    }

    #[test]
    fn the_mac_is_the_head_of_hmac_sha256_of_the_user() {
        // printf alice | openssl dgst -sha256 -hmac 0123456789abcdefghijklmnopqrstuvwxyz
        let tenant = TenantId::parse("alice").unwrap();
        let key = ring(&[SECRET]).issue_key(&tenant, 0);
        assert_eq!(key.reveal(), "t2b_alice_801a054e85b5a091");
    }

    #[test]
    fn issued_keys_verify_and_nothing_near_them_does() {
        let ring = ring(&[SECRET]);
        for user in ["alice", "a_b_c", "x-1.y", "a_1-0123456789abcdef"] {
            for generation in [0, 1, 7, u64::MAX] {
                let tenant = TenantId::parse(user).unwrap();
                let key = ring.issue_key(&tenant, generation);
                let grant = verify(&ring, key.reveal()).unwrap().grant;
                assert_eq!((grant.tenant(), grant.generation()), (&tenant, generation));
                let key = key.reveal();
                for bad in [
                    &key[..key.len() - 1],
                    &key.replace("t2b_", "t2b"),
                    &key.to_uppercase(),
                    &format!("{key}0"),
                    &key.replacen(user, "mallory", 1),
                ] {
                    assert_eq!(verify(&ring, bad), Err(AuthError::Invalid), "{bad}");
                }
            }
        }
        for bad in [
            "",
            "t2b_",
            "t2b__",
            "t2b_alice",
            "t2b_alice_",
            "t2b_alice_0-0123456789abcdef",
        ] {
            assert_eq!(verify(&ring, bad), Err(AuthError::Invalid), "{bad}");
        }
    }

    #[test]
    fn every_secret_verifies_and_the_first_signs() {
        let old = "zyxwvutsrqponmlkjihgfedcba9876543210";
        let tenant = TenantId::parse("alice").unwrap();
        let both = ring(&[SECRET, old]);
        assert!(
            !verify(&both, both.issue_key(&tenant, 0).reveal())
                .unwrap()
                .old_secret
        );
        assert!(
            verify(&both, ring(&[old]).issue_key(&tenant, 0).reveal())
                .unwrap()
                .old_secret
        );
        assert!(verify(&ring(&[old]), both.issue_key(&tenant, 0).reveal()).is_err());
    }

    #[test]
    fn weak_secrets_are_refused() {
        let one = |text: &str| Keyring::new(&[Secret::new(text.to_owned())]).err();
        assert_eq!(one(&SECRET[..31]), Some(WeakSecret::Short));
        assert_eq!(one(&SECRET[..32]), None);
        assert_eq!(one(&"abcdefghi".repeat(4)), Some(WeakSecret::Uniform));
        assert_eq!(one(&"abcdefghij".repeat(4)), None);
        assert_eq!(Keyring::new(&[]).err(), Some(WeakSecret::None));
    }
}
