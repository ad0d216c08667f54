//! The terms of tenants: plans, and what of limits and allowances follows from them for one tenant.
//!
//! ```text
//!  plan of a tenant:    assigned by an operator, or else that of [tenants.<id>], or else the default plan
//!  limits of a tenant:  [limits]  ◀  the plan's  ◀  those of [tenants.<id>]  ◀  assigned by an operator
//! ```

use std::sync::Arc;

use protocol::{Allowances, LimitChanges, Limits, PlanName};

/// A plan of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// All limits of its tenants: those of the node, and what the plan changes of them.
    pub limits: Arc<Limits>,
    /// What a tenant may use in a month.
    pub allowances: Arc<Allowances>,
}

/// One tenant's own settings in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantSettings {
    /// Its plan; absent: the default plan.
    pub plan: Option<PlanName>,
    /// What it changes of the limits of its plan, or of the node.
    pub limits: LimitChanges,
    /// The least key generation that is valid.
    pub key_generation: u64,
    /// Whether it may not connect.
    pub suspended: bool,
}

/// What a tenant may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantTerms {
    /// All limits that hold for it.
    pub limits: Arc<Limits>,
    /// What it may use in a month.
    pub allowances: Arc<Allowances>,
}
