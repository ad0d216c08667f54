//! What the store answers about the policy.

use super::record::TenantPolicy;

/// The answer to a [`PolicyRequest`](super::PolicyRequest).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyReply {
    /// The tenant's policy is this now.
    Changed(TenantPolicy),
}
