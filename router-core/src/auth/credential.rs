//! A credential before anybody has checked it.

use protocol::{Secret, TenantId};

use super::key::{KEY_PREFIX, parse_key};
use super::token;

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
