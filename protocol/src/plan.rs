//! Plans: what a tenant may use of each meter in a calendar month.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::usage::UsageMeter;

/// How much of a meter a tenant may use in a calendar month (UTC), in the unit of the ledger: milliseconds
/// where the meter's unit is seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance {
    /// From here on, the tenant is told once a day.
    pub soft: Option<u64>,
    /// From here on, what the meter counts is refused.
    pub hard: Option<u64>,
}

/// The allowances of a plan, by meter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowances(BTreeMap<UsageMeter, Allowance>);

impl Allowances {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every meter that has one, in the order of the table of meters.
    pub fn iter(&self) -> impl Iterator<Item = (UsageMeter, Allowance)> {
        self.0.iter().map(|(meter, allowance)| (*meter, *allowance))
    }

    /// The allowance of a meter.
    pub fn of(&self, meter: UsageMeter) -> Option<Allowance> {
        self.0.get(&meter).copied()
    }
}

impl FromIterator<(UsageMeter, Allowance)> for Allowances {
    fn from_iter<I: IntoIterator<Item = (UsageMeter, Allowance)>>(allowances: I) -> Self {
        Self(allowances.into_iter().collect())
    }
}

/// A hard allowance that is used up, as a refusal names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentAllowance {
    /// Of which meter.
    pub meter: UsageMeter,
    /// When the next month begins, Unix milliseconds.
    pub resets_ms: u64,
}

impl fmt::Display for SpentAllowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meter = self.meter;
        write!(f, "the monthly allowance of {meter} is used up")
    }
}

/// The data of `status{quota}`: a tenant has reached a soft allowance of its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct QuotaStatus {
    /// Of which meter.
    pub meter: UsageMeter,
    /// What the tenant used of it in this calendar month (UTC), in the unit of the meter.
    #[ts(type = "number")]
    pub used: u64,
    /// The soft allowance, in the unit of the meter.
    #[ts(type = "number")]
    pub allowed: u64,
    /// The hard allowance, in the unit of the meter, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub hard: Option<u64>,
    /// When the next month begins, Unix milliseconds.
    #[ts(type = "number")]
    pub resets_at: u64,
}
