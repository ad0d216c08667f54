//! What is asked of the policy.

use std::sync::Arc;

use super::record::AssignedTerms;

/// A request about a tenant's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRequest {
    /// What is asked.
    pub query: PolicyQuery,
    /// The highest number of the tenant's counter that the asker has seen: a change is a step of the
    /// directory.
    pub known_ver: u64,
}

/// What is asked of the policy. Reply: `Changed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyQuery {
    /// Changes nothing.
    Read,
    /// Invalidates all credentials of the tenant so far.
    Revoke,
    /// Suspends or resumes the tenant.
    Suspend(bool),
    /// Assigns a plan and limits to the tenant, in place of those before; absent: none.
    Assign(Option<Arc<AssignedTerms>>),
}

impl PolicyQuery {
    /// The query's name, for traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Read => "read_policy",
            Self::Revoke => "revoke",
            Self::Suspend(_) => "suspend",
            Self::Assign(_) => "assign",
        }
    }
}

impl From<PolicyQuery> for PolicyRequest {
    /// A request of an asker that has not seen the tenant's counter.
    fn from(query: PolicyQuery) -> Self {
        let known_ver = 0;
        Self { query, known_ver }
    }
}
