//! Plans: what a tenant may use of each meter in a calendar month.

use std::collections::BTreeMap;

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
}

impl FromIterator<(UsageMeter, Allowance)> for Allowances {
    fn from_iter<I: IntoIterator<Item = (UsageMeter, Allowance)>>(allowances: I) -> Self {
        Self(allowances.into_iter().collect())
    }
}
