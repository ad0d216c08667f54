//! What is kept of a tenant's policy.

use std::sync::Arc;

use protocol::{LimitChanges, PlanName};
use serde::{Deserialize, Serialize};

/// Who may connect, and what they may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantPolicy {
    /// Credentials of lower generations are refused.
    pub generation: u64,
    /// Whether all are.
    pub suspended: bool,
    /// What an operator assigned; absent: what the configuration says holds.
    pub assigned: Option<Arc<AssignedTerms>>,
}

/// The plan and the limits that an operator assigned to a tenant.
///
/// Shape: `{"plan":"pro","limits":{"bots_per_tenant":50}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedTerms {
    /// Its plan; absent: that of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanName>,
    /// Its limits, over those of the plan and of the configuration.
    #[serde(default, skip_serializing_if = "LimitChanges::is_empty")]
    pub limits: LimitChanges,
}

impl AssignedTerms {
    /// The same, or nothing if it assigns nothing.
    pub fn non_empty(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}
