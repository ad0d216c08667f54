//! The reference meaning of the directory.
//!
//! A step is taken in [`step`]; here are the counter, the event and what the step costs.

mod clients;
mod scope;
mod step;
mod tenant;
mod weights;

use std::collections::BTreeMap;

use protocol::TenantId;

use self::step::DirectoryStep;
use self::tenant::TenantDirectory;
use super::counter::{REPAIRED_VER, latest_known_ver, latest_stored_ver};
use super::event::DirectoryEvent;
use super::reply::DirectoryReply;
use super::request::DirectoryQuery;
use crate::env::Millis;
use crate::store::budget::StoreBudget;
use crate::store::reply::StoreResult;

pub(in crate::store) use self::scope::{StepContext, StepScope};

/// The directories of all tenants.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct DirectoryModel {
    tenants: BTreeMap<TenantId, TenantDirectory>,
    /// The last tenant that was swept.
    swept: Option<TenantId>,
}

impl DirectoryModel {
    /// Answers one query, and says what the nodes with the tenant must be told.
    pub(in crate::store) fn execute(
        &mut self,
        scope: StepScope<'_>,
        query: DirectoryQuery,
    ) -> (StoreResult<DirectoryReply>, Option<DirectoryEvent>) {
        let (id, policy) = (scope.tenant, scope.policy.clone());
        let is_load = matches!(query, DirectoryQuery::Load { .. });
        if is_load && let Some(tenant) = self.tenants.get_mut(id) {
            sweep(tenant, scope.budget, scope.asked.now_ms);
        }
        let (mut reply, event) = self.step(scope, |step| step.take(query));
        if is_load {
            let snapshot = match self.tenants.get(id) {
                Some(tenant) => tenant.snapshot(policy),
                None => TenantDirectory::default().snapshot(policy),
            };
            reply = Ok(DirectoryReply::Loaded(Box::new(snapshot)));
        }
        (reply, event)
    }

    /// Takes one step of a tenant's directory. It has a number and an event if it changes anything
    /// or repairs the counter.
    pub(in crate::store) fn step<T>(
        &mut self,
        scope: StepScope<'_>,
        take: impl FnOnce(&mut DirectoryStep<'_>) -> T,
    ) -> (T, Option<DirectoryEvent>) {
        let StepScope {
            tenant: id,
            asked,
            budget,
            policy,
        } = scope;
        let tenant = self.tenants.entry(id.clone()).or_default();
        let held = tenant.bytes;
        let known_ver = asked.known_ver.min(latest_known_ver(asked.now_ms));
        let is_repair = tenant.ver > latest_stored_ver(asked.now_ms);
        let prev = if is_repair { REPAIRED_VER } else { tenant.ver };
        let ver = (prev + 1).max(known_ver + 1).max(asked.now_ms * 1000);
        if is_repair {
            tenant.ver = ver;
        }
        let mut step = DirectoryStep {
            room: budget.room(held),
            tenant,
            policy,
            changes: Vec::new(),
            ver,
            known_ver,
            now_ms: asked.now_ms,
            caps: asked.caps,
        };
        let taken = take(&mut step);
        let changes = step.changes;
        budget.replace(held, tenant.bytes);
        let event =
            (is_repair || !changes.is_empty()).then_some(DirectoryEvent { prev, ver, changes });
        if event.is_some() {
            tenant.ver = ver;
            if tenant.born == 0 {
                tenant.born = ver;
            }
        }
        if tenant.is_new() {
            self.tenants.remove(id);
        }
        (taken, event)
    }

    /// Forgets what is older than 24 h in the next `tenants_max` tenants, round and round. An empty
    /// tenant is removed with its counter, unless it has a policy.
    pub(in crate::store) fn sweep(
        &mut self,
        budget: &mut StoreBudget,
        now_ms: Millis,
        tenants_max: usize,
        has_policy: impl Fn(&TenantId) -> bool,
    ) {
        let from = self.swept.take();
        let ids: Vec<TenantId> = match from {
            None => self.tenants.keys().take(tenants_max).cloned().collect(),
            Some(from) => self
                .tenants
                .range(from..)
                .skip(1)
                .map(|(id, _)| id)
                .take(tenants_max)
                .cloned()
                .collect(),
        };
        if ids.len() == tenants_max {
            self.swept = ids.last().cloned();
        }
        for id in ids {
            let Some(tenant) = self.tenants.get_mut(&id) else {
                continue;
            };
            sweep(tenant, budget, now_ms);
            if tenant.is_empty() && !has_policy(&id) {
                self.tenants.remove(&id);
            }
        }
    }
}

fn sweep(tenant: &mut TenantDirectory, budget: &mut StoreBudget, now_ms: Millis) {
    let held = tenant.bytes;
    tenant.sweep(now_ms);
    budget.replace(held, tenant.bytes);
}
