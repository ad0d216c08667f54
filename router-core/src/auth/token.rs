//! Client tokens: what a phone or a browser holds instead of the key.
//!
//! A compact JWS of exactly one form: the header is compared as one fixed string, so `alg`, `kid`
//! and `jku` are never parsed and `none` cannot be asked for. Source: RFC 7515.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Hmac;
use protocol::lane::KeyId;
use protocol::limits::{TOKEN_BYTES_MAX, TOKEN_LEEWAY_S, TOKEN_TTL_MAX_S};
use protocol::token::TokenScope;
use protocol::{BotId, ClientId, TenantId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::error::AuthError;
use super::mac::{mac, unbase64};
use crate::env::Millis;
use crate::permit::{Grant, Scope, TokenTerms};

/// base64url of `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// What a client token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// The tenant.
    pub tenant: TenantId,
    /// The client id; it wins over one given at connect.
    pub client: ClientId,
    /// What it may do: exactly one scope today.
    pub scope: Vec<TokenScope>,
    /// The key generation it was made under.
    pub g: u64,
    /// When it was made, Unix seconds.
    pub iat: u64,
    /// When it ends, Unix seconds; at most 30 days after `iat`.
    pub exp: u64,
    /// The bots it may see; absent = all. Required for scope `bot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bots: Option<BTreeSet<BotId>>,
}

/// A token that has the right form.
pub(super) struct TokenParts<'a> {
    pub signed: &'a str,
    pub signature: Vec<u8>,
    claims: &'a str,
}

pub(super) fn sign(key: &Hmac<Sha256>, claims: &TokenClaims) -> String {
    let claims = serde_json::to_vec(claims).expect("claims have no unserialisable part");
    let signed = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(mac(key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

pub(super) fn split(token: &str) -> Option<TokenParts<'_>> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let claims = signed.strip_prefix(HEADER)?.strip_prefix('.')?;
    Some(TokenParts {
        signed,
        signature: unbase64(signature)?,
        claims,
    })
}

/// Whom a token claims to be, unverified.
pub(super) fn claimed(token: &str) -> Option<TenantId> {
    parse_claims(split(token)?.claims).map(|claims| claims.tenant)
}

/// The grant of a token whose signature was verified.
pub(super) fn grant_of(parts: &TokenParts<'_>, now_ms: Millis) -> Result<Grant, AuthError> {
    let claims = parse_claims(parts.claims).ok_or(AuthError::Invalid)?;
    let now_s = now_ms / 1000;
    let lives = claims
        .exp
        .checked_sub(claims.iat)
        .ok_or(AuthError::Invalid)?;
    if lives > TOKEN_TTL_MAX_S || claims.iat > now_s + TOKEN_LEEWAY_S {
        return Err(AuthError::Invalid);
    }
    let latest_s = claims.exp.saturating_add(TOKEN_LEEWAY_S);
    if now_s > latest_s {
        return Err(AuthError::Expired);
    }
    let scope = match claims.scope.as_slice() {
        [TokenScope::Chat] => Scope::Chat,
        [TokenScope::Bot] if claims.bots.is_some() => Scope::Bot,
        _ => return Err(AuthError::Invalid),
    };
    // A token within the leeway behind its end is taken, and ends with the leeway.
    let ends_s = if claims.exp > now_s {
        claims.exp
    } else {
        latest_s
    };
    let terms = TokenTerms {
        bots: claims.bots,
        client: claims.client,
        expires_ms: ends_s.saturating_mul(1000),
    };
    Ok(Grant {
        tenant: claims.tenant,
        scope,
        // Whoever verified the signature knows it.
        secret: KeyId::from_bits(0),
        generation: claims.g,
        terms: Some(Arc::new(terms)),
    })
}

fn parse_claims(claims: &str) -> Option<TokenClaims> {
    serde_json::from_slice(&unbase64(claims)?).ok()
}

#[cfg(test)]
mod tests {
    use protocol::Secret;

    use super::*;
    use crate::auth::{Credential, Keyring};

    const NOW_S: u64 = 1_763_695_000;

    fn ring() -> Keyring {
        Keyring::new(&[Secret::new(
            "0123456789abcdefghijklmnopqrstuvwxyz".to_owned(),
        )])
        .unwrap()
    }

    fn claims() -> TokenClaims {
        TokenClaims {
            tenant: TenantId::parse("alice").unwrap(),
            client: ClientId::parse("phone").unwrap(),
            scope: vec![TokenScope::Chat],
            g: 0,
            iat: NOW_S,
            exp: NOW_S + 3600,
            bots: None,
        }
    }

    fn verify_text(token: &str, now_s: u64) -> Result<Grant, AuthError> {
        let credential = Credential::Token(Secret::new(token.to_owned()));
        ring()
            .verify(&credential, now_s * 1000)
            .map(|verified| verified.grant)
    }

    fn verify(claims: &TokenClaims, now_s: u64) -> Result<Grant, AuthError> {
        verify_text(ring().issue_token(claims).reveal(), now_s)
    }

    #[test]
    fn a_token_grants_what_it_claims_until_it_ends() {
        let grant = verify(&claims(), NOW_S).unwrap();
        assert_eq!(grant.tenant().as_str(), "alice");
        assert_eq!(grant.expires_ms(), Some((NOW_S + 3600) * 1000));
        assert!(verify(&claims(), NOW_S + 3630).is_ok());
        assert_eq!(verify(&claims(), NOW_S + 3631), Err(AuthError::Expired));
        assert!(verify(&claims(), NOW_S - 30).is_ok());
        assert_eq!(verify(&claims(), NOW_S - 31), Err(AuthError::Invalid));
    }

    #[test]
    fn lifetimes_and_scopes_are_checked() {
        let longest = TokenClaims {
            exp: NOW_S + TOKEN_TTL_MAX_S,
            ..claims()
        };
        assert!(verify(&longest, NOW_S).is_ok());
        let cases = [
            TokenClaims {
                exp: NOW_S + TOKEN_TTL_MAX_S + 1,
                ..claims()
            },
            TokenClaims {
                exp: NOW_S - 1,
                ..claims()
            },
            TokenClaims {
                scope: vec![],
                ..claims()
            },
            TokenClaims {
                scope: vec![TokenScope::Bot],
                ..claims()
            },
            TokenClaims {
                scope: vec![TokenScope::Chat, TokenScope::Bot],
                ..claims()
            },
        ];
        for case in cases {
            assert_eq!(verify(&case, NOW_S), Err(AuthError::Invalid), "{case:?}");
        }
    }

    #[test]
    fn no_other_header_is_ever_read() {
        let good = ring().issue_token(&claims()).reveal().clone();
        let (_, rest) = good.split_once('.').unwrap();
        let body = rest.split_once('.').unwrap().0;
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        for bad in [
            format!("{none}.{body}."),
            format!("{none}.{rest}"),
            format!("{HEADER}.{body}."),
            format!("{HEADER}.{body}"),
            format!("{good}A"),
            good.replacen(body, &URL_SAFE_NO_PAD.encode("{}"), 1),
            "x".repeat(TOKEN_BYTES_MAX + 1),
        ] {
            assert_eq!(verify_text(&bad, NOW_S), Err(AuthError::Invalid), "{bad}");
        }
    }
}
