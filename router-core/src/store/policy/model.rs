//! The reference meaning of the policy.

use std::collections::BTreeMap;

use protocol::TenantId;

use super::record::Policy;
use super::reply::PolicyReply;
use super::request::PolicyQuery;
use crate::store::directory::Event;
use crate::store::directory::model::{DirectoryModel, StepScope};

/// The policies of all tenants.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct PolicyModel {
    /// Those that differ from the default one.
    policies: BTreeMap<TenantId, Policy>,
}

impl PolicyModel {
    /// A tenant's policy.
    pub(in crate::store) fn of(&self, tenant: &TenantId) -> Policy {
        self.policies.get(tenant).copied().unwrap_or_default()
    }

    /// Replaces a tenant's policy.
    pub(in crate::store) fn set(&mut self, tenant: &TenantId, policy: Policy) {
        if policy == Policy::default() {
            self.policies.remove(tenant);
        } else {
            self.policies.insert(tenant.clone(), policy);
        }
    }

    /// Takes a policy as it was before a restart. The highest generation counts.
    pub(in crate::store) fn restore(&mut self, tenant: TenantId, policy: Policy) {
        let own = self.of(&tenant);
        let policy = Policy {
            generation: own.generation.max(policy.generation),
            suspended: own.suspended | policy.suspended,
        };
        self.set(&tenant, policy);
    }

    /// Every policy that differs from the default one.
    pub(in crate::store) fn all(&self) -> impl Iterator<Item = (&TenantId, Policy)> {
        self.policies.iter().map(|(tenant, it)| (tenant, *it))
    }
}

impl PolicyQuery {
    /// Answers the query in a step of the tenant's directory.
    pub(in crate::store) fn execute(
        self,
        directory: &mut DirectoryModel,
        scope: StepScope<'_>,
    ) -> (PolicyReply, Option<Event>) {
        directory.step(scope, |step| {
            let policy = match self {
                Self::Revoke => Policy {
                    generation: step.policy.generation + 1,
                    ..*step.policy
                },
                Self::Suspend(suspended) => Policy {
                    suspended,
                    ..*step.policy
                },
            };
            step.set_policy(policy);
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
        let policy = |generation, suspended| Policy {
            generation,
            suspended,
        };
        let mut model = PolicyModel::default();
        model.set(&tenant, policy(1, false));
        for restored in [policy(5, true), policy(2, false)] {
            model.restore(tenant.clone(), restored);
        }
        assert_eq!(model.of(&tenant), policy(5, true));
        assert_eq!(model.all().count(), 1);
        model.set(&tenant, Policy::default());
        assert_eq!(model.all().count(), 0);
    }
}
