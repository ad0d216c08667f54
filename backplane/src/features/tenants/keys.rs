//! The keys of the list of tenants.
//!
//! | key | kind | holds |
//! | --- | --- | --- |
//! | `tenants:<0..63>` | hash | tenant → the last day on which it used something, `<yyyymmdd>`, or nothing |
//!
//! It never expires: a tenant stays in the list until an operator deletes it.

use router_core::store::tenants::TenantPart;

use crate::keys::KeyNames;

/// A part of the list.
pub(super) fn part(names: &KeyNames, part: TenantPart) -> String {
    names.shared_key(&format!("tenants:{}", part.number()))
}
