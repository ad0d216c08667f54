//! A tenant's policy as text: the key generation, whether the tenant is suspended, and what is assigned to it.

use std::sync::Arc;

use protocol::{LimitChanges, PlanName};
use router_core::store::{AssignedTerms, TenantPolicy};
use serde_json::Value;

use crate::bounds::NumberBounds;
use crate::features::text::number;

/// A policy. `suspended` is `0` or `1`; `assigned_text` as [`assigned_text`] writes it.
pub(crate) fn policy(
    generation: &str,
    suspended: &str,
    assigned_text: &str,
) -> Option<TenantPolicy> {
    let suspended = match suspended {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some(TenantPolicy {
        generation: NumberBounds::generation(number(generation)?)?,
        suspended,
        assigned: assigned(assigned_text),
    })
}

/// What is assigned, as one line of JSON; empty: nothing.
pub(super) fn assigned_text(assigned: Option<&AssignedTerms>) -> String {
    let text = |assigned| serde_json::to_string(assigned).expect("texts and numbers serialise");
    assigned.map(text).unwrap_or_default()
}

/// What is assigned. What this build does not know, or cannot read, is passed over: it must not keep the
/// tenant from loading.
fn assigned(text: &str) -> Option<Arc<AssignedTerms>> {
    if text.is_empty() {
        return None;
    }
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let plan = value["plan"].as_str();
    let mut limits = LimitChanges::default();
    for (name, number) in value["limits"].as_object().into_iter().flatten() {
        if let Some(number) = number.as_u64() {
            // Errors: a name or a number that this build does not have.
            let _ = limits.set(name, number);
        }
    }
    let assigned = AssignedTerms {
        plan: plan.and_then(|plan| PlanName::parse(plan).ok()),
        limits,
    };
    assigned.non_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assigned_reads_back_and_what_is_unknown_is_passed_over() {
        let mut limits = LimitChanges::default();
        limits.set("bots_per_tenant", 50).unwrap();
        let terms = AssignedTerms {
            plan: Some(PlanName::parse("pro").unwrap()),
            limits,
        };
        let text = assigned_text(Some(&terms));
        assert_eq!(text, r#"{"plan":"pro","limits":{"bots_per_tenant":50}}"#);
        let read = |text| policy("4", "1", text).unwrap().assigned;
        assert_eq!(read(&text), Some(Arc::new(terms.clone())));
        assert_eq!(read(""), None);
        let newer = r#"{"plan":"pro","limits":{"bots_per_tenant":50,"mails":7},"x":[1]}"#;
        assert_eq!(read(newer), Some(Arc::new(terms)));
        for damaged in ["{", "[]", "\"", r#"{"plan":" "}"#] {
            assert_eq!(read(damaged), None, "{damaged}");
        }
    }
}
