//! The reference meaning of the store, and the store of a single node: the models of all features.

use std::collections::BTreeMap;

use protocol::{TenantId, UsageHour};

use super::budget::StoreBudget;
use super::directory::model::{DirectoryModel, StepContext, StepScope};
use super::directory::{DirectoryCaps, DirectoryEvent};
use super::labels::model::LabelsModel;
use super::policy::TenantPolicy;
use super::policy::model::PolicyModel;
use super::reply::{StoreReply, StoreResult};
use super::request::{StoreQuery, StoreRequest};
use super::tenants::{ListedTenant, TenantPart};
use super::usage::model::UsageModel;
use super::usage::{TenantIndex, UsageIndexQuery};
use crate::env::Millis;

/// A store in memory, bounded in bytes. A tenant may hold as much as an eighth of what is free:
/// beyond that, `quota_exceeded` for what would grow it.
#[derive(Debug, Clone)]
pub struct Model {
    budget: StoreBudget,
    directory: DirectoryModel,
    policy: PolicyModel,
    labels: LabelsModel,
    usage: UsageModel,
}

impl Model {
    /// An empty store of at most `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        Self {
            budget: StoreBudget::new(bytes_max),
            directory: DirectoryModel::default(),
            policy: PolicyModel::default(),
            labels: LabelsModel::default(),
            usage: UsageModel::new(bytes_max),
        }
    }

    /// Keeps each hour of usage for so many hours, and not for [`USAGE_KEEP_HOURS`].
    pub fn keep_usage(&mut self, hours: u32) {
        self.usage.keep(hours);
    }

    /// Bytes in use, by an estimate that counts every text and a fixed overhead a record.
    pub fn bytes(&self) -> u64 {
        self.budget.used() + self.usage.bytes()
    }

    /// Sets a tenant's policy as it was before a restart. The highest generation counts.
    pub fn restore(&mut self, tenant: TenantId, policy: TenantPolicy) {
        self.policy.restore(tenant, policy);
    }

    /// Every tenant whose policy differs from the default one.
    pub fn policies(&self) -> impl Iterator<Item = (&TenantId, &TenantPolicy)> {
        self.policy.all()
    }

    /// Loses everything, as a store does that restarts empty.
    pub fn lose_all(&mut self) {
        *self = Self::new(self.budget.max());
    }

    /// Answers one request, and says what the nodes with the tenant must be told.
    pub fn execute(&mut self, request: StoreRequest) -> (StoreResult, Option<DirectoryEvent>) {
        let StoreRequest {
            tenant,
            now_ms,
            query,
        } = request;
        match query {
            StoreQuery::Directory(request) => {
                let asked = StepContext {
                    now_ms,
                    known_ver: request.known_ver,
                    caps: request.caps,
                };
                let (reply, event) = self.step(&tenant, asked, |directory, scope| {
                    directory.execute(scope, request.query)
                });
                (reply.map(StoreReply::Directory), event)
            }
            StoreQuery::Policy(request) => {
                let asked = StepContext {
                    now_ms,
                    known_ver: request.known_ver,
                    caps: DirectoryCaps::NONE,
                };
                let (reply, event) = self.step(&tenant, asked, |directory, scope| {
                    request.query.execute(directory, scope)
                });
                (Ok(StoreReply::Policy(reply)), event)
            }
            StoreQuery::Labels(query) => {
                let reply = self.labels.execute(&tenant, query, &mut self.budget);
                (reply.map(StoreReply::Labels), None)
            }
            StoreQuery::Usage(query) => {
                let reply = self.usage.execute(&tenant, now_ms, query);
                (reply.map(StoreReply::Usage), None)
            }
        }
    }

    /// The tenants that used something on a day.
    pub fn usage_index(&self, query: &UsageIndexQuery) -> TenantIndex {
        self.usage.index(query)
    }

    /// The tenants of a part that used something or that an operator changed, in order.
    pub fn tenants(&self, part: TenantPart) -> Vec<ListedTenant> {
        let is_changed = |policy: &TenantPolicy| policy.suspended || policy.assigned.is_some();
        let policies = self.policy.all().filter(|(_, policy)| is_changed(policy));
        let changed = policies
            .map(|(tenant, _)| tenant)
            .chain(self.labels.tenants());
        let changed = changed.filter(|tenant| TenantPart::of(tenant) == part);
        let mut listed: BTreeMap<TenantId, Option<UsageHour>> =
            changed.map(|tenant| (tenant.clone(), None)).collect();
        let used = self.usage.last_used(part).into_iter();
        listed.extend(used.map(|(tenant, day)| (tenant, Some(day))));
        let listed = listed.into_iter();
        listed
            .map(|(tenant, last_used)| ListedTenant { tenant, last_used })
            .collect()
    }

    /// Lets a feature take a step of a tenant's directory, in which the policy may change too.
    fn step<T>(
        &mut self,
        tenant: &TenantId,
        asked: StepContext,
        take: impl FnOnce(&mut DirectoryModel, StepScope<'_>) -> T,
    ) -> T {
        let mut policy = self.policy.of(tenant);
        let scope = StepScope {
            tenant,
            asked,
            budget: &mut self.budget,
            policy: &mut policy,
        };
        let taken = take(&mut self.directory, scope);
        self.policy.set(tenant, policy);
        taken
    }

    /// Forgets what is older than 24 h in the next `tenants_max` tenants, round and round.
    pub fn sweep(&mut self, now_ms: Millis, tenants_max: usize) {
        let has_policy = |tenant: &TenantId| self.policy.of(tenant) != TenantPolicy::default();
        self.directory
            .sweep(&mut self.budget, now_ms, tenants_max, has_policy);
    }
}

#[cfg(test)]
mod tests;
