//! Why a credential or a secret is refused.

use crate::env::Millis;

/// Fewest bytes of a secret.
pub(super) const SECRET_BYTES_MIN: usize = 32;
/// Fewest distinct characters of a secret: `aaaa…` is no secret.
pub(super) const SECRET_DISTINCT_MIN: usize = 10;

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
