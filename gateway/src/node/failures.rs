//! Credentials that failed: counted, logged, and throttled if there are too many of them.
//!
//! | failure | found by | answered with, until it is throttled |
//! | --- | --- | --- |
//! | not one of ours | the keyring | 401 |
//! | of a generation before the last revoke | its tenant | 401 |
//! | its tenant is suspended | its tenant | 403 |
//!
//! An expired token is logged and counted, but not throttled: its client is told to renew it.

use protocol::{ErrorCode, TenantId};
use router_core::auth::{Attempt, AuthError, Credential, FailureTally, Source, VerifiedCredential};
use router_core::request::SessionNotice;
use router_core::session::SessionInput;
use std::sync::Arc;

use super::core::Node;
use super::entry::ConnectionEntry;
use super::lock::lock;

/// What was wrong with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthFailure {
    Invalid,
    Revoked,
    Suspended,
}

impl AuthFailure {
    /// Its label of `t2b_auth_failures_total`.
    const fn reason(self) -> &'static str {
        match self {
            AuthFailure::Invalid => "invalid",
            AuthFailure::Revoked => "revoked",
            AuthFailure::Suspended => "suspended",
        }
    }

    /// Whether the credential is one of its tenant's.
    const fn is_verified(self) -> bool {
        match self {
            AuthFailure::Invalid => false,
            AuthFailure::Revoked | AuthFailure::Suspended => true,
        }
    }

    /// The refusal of a tenant that is one.
    fn of(code: ErrorCode) -> Option<Self> {
        let failures = [
            (ErrorCode::Unauthorized, AuthFailure::Revoked),
            (ErrorCode::TenantSuspended, AuthFailure::Suspended),
        ];
        failures
            .into_iter()
            .find_map(|(refused, failure)| (refused == code).then_some(failure))
    }
}

impl Node {
    /// Checks a credential. A good one always passes; failures are counted, logged and throttled.
    pub(crate) fn verify(
        &self,
        source: Source,
        credential: &Credential,
    ) -> Result<VerifiedCredential, AuthError> {
        let now_ms = self.clock.now_ms();
        let verdict = self
            .credentials
            .verify(credential, self.clock.unix_ms(now_ms));
        match &verdict {
            Ok(verified) if verified.old_secret => self.metrics.auth_old_secret.increment(1),
            Ok(_) => {}
            Err(AuthError::Expired) => self.expired(source, credential.claimed()),
            Err(AuthError::Invalid | AuthError::Later | AuthError::Throttled { .. }) => {
                let claimed = credential.claimed();
                self.auth_failed(source, claimed, AuthFailure::Invalid)?;
            }
        }
        verdict
    }

    /// Counts a failure, and adds it to the history of the tenant. Errors: `Throttled` if there were too many
    /// from there, whatever it is.
    pub(super) fn auth_failed(
        &self,
        source: Source,
        claimed: Option<TenantId>,
        failure: AuthFailure,
    ) -> Result<(), AuthError> {
        let attempt = Attempt {
            source,
            claimed: claimed.clone(),
        };
        let tally = self.credentials.fail(attempt, self.clock.now_ms());
        let reason = match tally {
            FailureTally::Counted => failure.reason(),
            FailureTally::Throttled { .. } => "throttled",
        };
        self.remember_failure(source, claimed.as_ref(), (reason, failure.is_verified()));
        self.metrics.auth_failed(reason);
        match tally {
            FailureTally::Counted => {
                self.access_log.credential(source, claimed.as_ref(), reason);
                Ok(())
            }
            FailureTally::Throttled {
                retry_after_ms,
                failures,
            } => {
                self.access_log.throttled(source, failures);
                Err(AuthError::Throttled { retry_after_ms })
            }
        }
    }

    /// Notes that a token has expired.
    pub(super) fn expired(&self, source: Source, claimed: Option<TenantId>) {
        self.metrics.auth_failed("expired");
        self.remember_failure(source, claimed.as_ref(), ("expired", false));
        self.access_log
            .credential(source, claimed.as_ref(), "expired");
    }

    /// What a session is told of its tenant's word: a refusal of its credential is a failure, and
    /// after too many of them the answer is that.
    pub(super) fn heard(
        &self,
        entry: &Arc<ConnectionEntry>,
        notice: SessionNotice,
    ) -> SessionInput {
        let failure = match &notice {
            SessionNotice::Refused(refusal) => AuthFailure::of(refusal.code),
            SessionNotice::Joined { .. } | SessionNotice::Limited(_) => None,
        };
        let Some(failure) = failure else {
            return SessionInput::Notice(notice);
        };
        let tenant = lock(&entry.session).joining().cloned();
        match self.auth_failed(entry.source, tenant, failure) {
            Ok(()) => SessionInput::Notice(notice),
            Err(throttled) => SessionInput::Verified(Err(throttled)),
        }
    }
}
