//! A tenant's policy as text: the key generation, and whether the tenant is suspended.

use router_core::store::TenantPolicy;

use crate::bounds::NumberBounds;
use crate::features::text::number;

/// A policy. `suspended` is `0` or `1`.
pub(crate) fn policy(generation: &str, suspended: &str) -> Option<TenantPolicy> {
    let suspended = match suspended {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some(TenantPolicy {
        generation: NumberBounds::generation(number(generation)?)?,
        suspended,
    })
}
