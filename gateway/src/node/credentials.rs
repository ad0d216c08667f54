//! What credentials are verified with, and how often they failed.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use protocol::Secret;
use router_core::Millis;
use router_core::auth::{
    Attempt, AuthError, Credential, FailureTally, FailureThrottle, Keyring, TokenClaims,
    VerifiedCredential,
};

use super::lock::lock;

/// The keys of the node, and the throttle of failures.
pub(super) struct CredentialCheck {
    keyring: ArcSwap<Keyring>,
    throttle: Mutex<FailureThrottle>,
}

impl CredentialCheck {
    pub(super) fn new(keyring: Keyring) -> Self {
        Self {
            keyring: ArcSwap::from_pointee(keyring),
            throttle: Mutex::default(),
        }
    }

    /// Verifies and signs with these secrets from now on.
    pub(super) fn set_keyring(&self, keyring: Keyring) {
        self.keyring.store(Arc::new(keyring));
    }

    pub(super) fn verify(
        &self,
        credential: &Credential,
        unix_ms: Millis,
    ) -> Result<VerifiedCredential, AuthError> {
        self.keyring.load().verify(credential, unix_ms)
    }

    /// Counts a failure; says whether there are too many.
    pub(super) fn fail(&self, attempt: Attempt, now_ms: Millis) -> FailureTally {
        lock(&self.throttle).fail(attempt, now_ms)
    }

    pub(super) fn issue_token(&self, claims: &TokenClaims) -> Secret<String> {
        self.keyring.load().issue_token(claims)
    }
}
