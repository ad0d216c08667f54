//! USE-1, assigned terms: when all is quiet, every node that has a tenant applies what the store says is assigned
//! to it, and the store says what an operator assigned last.

use std::sync::Arc;

use router_core::store::AssignedTerms;
use router_core::terms::TenantTerms;

use super::RunObserver;
use crate::assignment::TermsFigures;

/// The guarantee's name in failures.
const USE_1: &str = "USE-1";

impl RunObserver {
    /// An operator assigns this to a tenant.
    pub(crate) fn assigned(&mut self, tenant: usize, assigned: Option<Arc<AssignedTerms>>) {
        if TermsFigures::of(assigned.as_deref()).messages.is_some() {
            self.terms.ever_limited.insert(tenant);
        }
        self.terms.last.insert(tenant, assigned);
        self.assignments += 1;
    }

    /// What the store says is assigned to a tenant, in the end.
    pub(crate) fn terms_stored(&mut self, tenant: usize, stored: Option<&AssignedTerms>) {
        let last = self.terms.last.get(&tenant);
        let last = last.and_then(|assigned| assigned.as_deref());
        if !self.usage.is_lossy && stored != last {
            let what =
                format!("tenant {tenant} was assigned {last:?}, and the store has {stored:?}");
            self.fail(USE_1, &what);
        }
        if TermsFigures::of(stored).messages.is_some() {
            self.terms.limited.insert(tenant);
        }
    }

    /// What a node applies to a tenant, in the end.
    pub(crate) fn terms_applied(
        &mut self,
        (node, tenant): (usize, usize),
        stored: Option<&AssignedTerms>,
        terms: &TenantTerms,
    ) {
        let (expected, applied) = (TermsFigures::of(stored), TermsFigures::applied(terms));
        if applied != expected {
            let what = format!(
                "node {node} applies {applied:?} to tenant {tenant}, and {expected:?} is assigned"
            );
            self.fail(USE_1, &what);
        }
    }
}
