//! The secrets of a gateway, and what they sign and verify.

use hmac::Hmac;
use protocol::lane::{KeyId, LaneKeys};
use protocol::{Secret, TenantId};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::credential::Credential;
use super::error::{AuthError, SECRET_BYTES_MIN, SECRET_DISTINCT_MIN, WeakSecret};
use super::key::{KeyParts, key_mac, parse_key, write_key};
use super::mac::{keyed, mac};
use super::token::{self, TokenClaims};
use crate::env::Millis;
use crate::permit::{Grant, Scope};

/// What was verified, and by which secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCredential {
    /// What the bearer may do.
    pub grant: Grant,
    /// Whether a secret other than the first verified it: somebody still uses an old one.
    pub old_secret: bool,
}

struct KeySecret {
    id: KeyId,
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
        let ids = LaneKeys::new(secrets).ids();
        let secrets = secrets.iter().zip(ids).map(|(secret, id)| {
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
                id,
                keys: keyed(bytes),
                tokens: keyed(secret.derive("t2b/client-token/v1").reveal()),
            })
        });
        Ok(Self {
            secrets: secrets.collect::<Result<_, _>>()?,
        })
    }

    /// The id of the secret that signs.
    pub fn first_id(&self) -> KeyId {
        self.secrets[0].id
    }

    /// The API key of a tenant and generation, signed with the first secret.
    pub fn issue_key(&self, tenant: &TenantId, generation: u64) -> Secret<String> {
        Secret::new(write_key(&self.secrets[0].keys, tenant, generation))
    }

    /// A client token of these claims, signed with the first secret.
    pub fn issue_token(&self, claims: &TokenClaims) -> Secret<String> {
        Secret::new(token::sign(&self.secrets[0].tokens, claims))
    }

    /// Checks a credential. Errors: `Invalid`, `Expired`. The work is the same whichever secret
    /// verifies, and no comparison stops early.
    pub fn verify(
        &self,
        credential: &Credential,
        now_ms: Millis,
    ) -> Result<VerifiedCredential, AuthError> {
        match credential {
            Credential::ApiKey(key) => self.verify_key(key.reveal()),
            Credential::Token(token) => self.verify_token(token.reveal(), now_ms),
        }
    }

    fn verify_key(&self, key: &str) -> Result<VerifiedCredential, AuthError> {
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
        let secret = used.ok_or(AuthError::Invalid)?;
        Ok(self.verified(Grant {
            tenant,
            scope: Scope::Key,
            secret,
            generation,
            terms: None,
        }))
    }

    fn verify_token(&self, token: &str, now_ms: Millis) -> Result<VerifiedCredential, AuthError> {
        let parts = token::split(token).ok_or(AuthError::Invalid)?;
        let used = self.first_match(|secret| {
            mac(&secret.tokens, parts.signed.as_bytes()).ct_eq(&parts.signature)
        });
        let secret = used.ok_or(AuthError::Invalid)?;
        Ok(self.verified(Grant {
            secret,
            ..token::grant_of(&parts, now_ms)?
        }))
    }

    fn verified(&self, grant: Grant) -> VerifiedCredential {
        let old_secret = grant.secret != self.first_id();
        VerifiedCredential { grant, old_secret }
    }

    /// The id of the first secret that fits.
    fn first_match(&self, matches: impl Fn(&KeySecret) -> subtle::Choice) -> Option<KeyId> {
        let mut found = None;
        for secret in &self.secrets {
            if bool::from(matches(secret)) && found.is_none() {
                found = Some(secret.id);
            }
        }
        found
    }
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

    fn verify(ring: &Keyring, key: &str) -> Result<VerifiedCredential, AuthError> {
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
