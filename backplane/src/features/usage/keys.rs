//! The keys of the usage ledger.
//!
//! | key | kind | holds |
//! | --- | --- | --- |
//! | `{<tenant>}:usage:<yyyymmddhh>` | hash | meter → amount, in milliseconds where the unit is seconds; `late:<meter>` → what of it was counted in an earlier hour; `sum` → the check number |
//! | `{<tenant>}:usage:seen` | hash | boot id → the last record of the boot, and the hour in which it was booked: `<seq> <hour>` |
//! | `usage:<yyyymmdd>:<0..63>` | hash | the tenants that used something on a day, by a hash of their ids |
//!
//! Hours and days expire when the ledger keeps them no longer. `seen` expires when its last record is too
//! old to be booked again.

use protocol::{TenantId, UsageHour};
use router_core::store::UsageIndexQuery;

use crate::keys::KeyNames;

/// The field of an hour that has the check number.
pub(super) const CHECK_FIELD: &str = "sum";
/// What the fields of late amounts begin with.
pub(super) const LATE_PREFIX: &str = "late:";

/// An hour of a tenant.
pub(super) fn hour(names: &KeyNames, tenant: &TenantId, hour: UsageHour) -> String {
    names.tenant_key(tenant, &format!("usage:{hour}"))
}

/// The last records of a tenant.
pub(super) fn seen(names: &KeyNames, tenant: &TenantId) -> String {
    names.tenant_key(tenant, "usage:seen")
}

/// A part of the index of a day.
pub(super) fn index(names: &KeyNames, query: &UsageIndexQuery) -> String {
    let UsageIndexQuery { day, part } = query;
    names.shared_key(&format!("usage:{}:{part}", day.day_text()))
}
