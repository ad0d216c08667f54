//! The reference meaning of the policy.

use std::collections::BTreeMap;

use protocol::TenantId;

use super::record::TenantPolicy;
use super::reply::PolicyReply;
use super::request::PolicyQuery;
use crate::store::directory::DirectoryEvent;
use crate::store::directory::model::{DirectoryModel, StepScope};

/// The policies of all tenants.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct PolicyModel {
    /// Those that differ from the default one.
    policies: BTreeMap<TenantId, TenantPolicy>,
}

impl PolicyModel {
    /// A tenant's policy.
    pub(in crate::store) fn of(&self, tenant: &TenantId) -> TenantPolicy {
        self.policies.get(tenant).cloned().unwrap_or_default()
    }

    /// Replaces a tenant's policy.
    pub(in crate::store) fn set(&mut self, tenant: &TenantId, policy: TenantPolicy) {
        if policy == TenantPolicy::default() {
            self.policies.remove(tenant);
        } else {
            self.policies.insert(tenant.clone(), policy);
        }
    }

    /// Takes a policy as it was before a restart. The highest generation counts, and what was assigned last.
    pub(in crate::store) fn restore(&mut self, tenant: TenantId, policy: TenantPolicy) {
        let own = self.of(&tenant);
        let policy = TenantPolicy {
            generation: own.generation.max(policy.generation),
            suspended: own.suspended | policy.suspended,
            assigned: own.assigned.or(policy.assigned),
        };
        self.set(&tenant, policy);
    }

    /// Every policy that differs from the default one.
    pub(in crate::store) fn all(&self) -> impl Iterator<Item = (&TenantId, &TenantPolicy)> {
        self.policies.iter()
    }
}

impl PolicyQuery {
    /// Answers the query in a step of the tenant's directory.
    pub(in crate::store) fn execute(
        self,
        directory: &mut DirectoryModel,
        scope: StepScope<'_>,
    ) -> (PolicyReply, Option<DirectoryEvent>) {
        directory.step(scope, |step| {
            let policy = match self {
                Self::Read => step.policy.clone(),
                Self::Revoke => TenantPolicy {
                    generation: step.policy.generation + 1,
                    ..step.policy.clone()
                },
                Self::Suspend(suspended) => TenantPolicy {
                    suspended,
                    ..step.policy.clone()
                },
                Self::Assign(assigned) => TenantPolicy {
                    assigned,
                    ..step.policy.clone()
                },
            };
            step.set_policy(policy.clone());
            PolicyReply::Changed(policy)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_generation_survives_a_restart() {
        let tenant = TenantId::parse("alice").unwrap();
        let policy = |generation, suspended| TenantPolicy {
            generation,
            suspended,
            assigned: None,
        };
        let mut model = PolicyModel::default();
        model.set(&tenant, policy(1, false));
        for restored in [policy(5, true), policy(2, false)] {
            model.restore(tenant.clone(), restored);
        }
        assert_eq!(model.of(&tenant), policy(5, true));
        assert_eq!(model.all().count(), 1);
        model.set(&tenant, TenantPolicy::default());
        assert_eq!(model.all().count(), 0);
    }
}
