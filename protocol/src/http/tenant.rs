//! Tenants, as operators see them and change them.

use serde::{Deserialize, Serialize};

use crate::ids::{PlanName, TenantId};
use crate::labels::TenantLabels;
use crate::limit_changes::LimitChanges;
use crate::limits::Limits;
use crate::usage::UsageMeter;

/// What an operator wants of a tenant: the body of `PUT /admin/v1/tenants/{id}`.
///
/// Shape: `{"plan":"pro","limits":{"bots_per_tenant":50},"suspended":false,"labels":{"region":"eu-1"}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantOrder {
    /// Its plan; absent or `null`: that of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanName>,
    /// Its limits, over those of the plan and of the configuration; absent: none.
    #[serde(default, skip_serializing_if = "LimitChanges::is_empty")]
    pub limits: LimitChanges,
    /// Whether it is suspended; absent: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
    /// All its labels; absent: as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<TenantLabels>,
}

/// A tenant as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantInfo {
    /// Its id.
    pub tenant: TenantId,
    /// The plan that holds for it, if one does.
    pub plan: Option<PlanName>,
    /// What an operator assigned.
    pub assigned: AssignedInfo,
    /// All limits that hold for it.
    pub limits: Limits,
    /// The allowances of its plan, and how much of them is used.
    pub allowances: Vec<AllowanceInfo>,
    /// When the allowances begin anew, Unix milliseconds.
    pub resets_at: u64,
    /// Whether it may not connect.
    pub suspended: bool,
    /// The key generation that credentials need.
    pub generation: u64,
    /// Its labels.
    pub labels: TenantLabels,
    /// Whether what was ordered outlives the process.
    pub persisted: bool,
}

/// What an operator assigned to a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedInfo {
    /// Its plan.
    pub plan: Option<PlanName>,
    /// Its limits.
    pub limits: LimitChanges,
}

/// An allowance, and how much of it is used, in the unit of the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowanceInfo {
    /// Of which meter.
    pub meter: UsageMeter,
    /// From here on, the tenant is told.
    pub soft: Option<u64>,
    /// From here on, what the meter counts is refused.
    pub hard: Option<u64>,
    /// What is booked of this calendar month.
    pub used: u64,
}
