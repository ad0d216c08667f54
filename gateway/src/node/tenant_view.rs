//! What this node can say of a tenant now, for operators: from its memory, or else from the store.

use protocol::{BootId, BotId, TenantId};
use router_core::Millis;
use router_core::shard::{LimitUse, Replica};
use router_core::store::{
    BotHolder, DirectoryQuery, DirectoryReply, DirectorySnapshot, StoreFailure, StoreReply,
    StoreRequest, StoreResult,
};

use super::core::Node;

/// A tenant as the directory has it.
pub(crate) struct TenantView {
    /// Whether it is in the memory of this node. If not, this is what the store has.
    pub(crate) is_loaded: bool,
    /// Whether the directory has, or ever had, anything of it.
    pub(crate) is_known: bool,
    /// The effective key generation.
    pub(crate) generation: u64,
    /// Whether the store or the configuration suspends it.
    pub(crate) is_suspended: bool,
    /// Every listed bot, in id order.
    pub(crate) bots: Vec<ListedHome>,
    /// How much of its limits it uses; empty if it is not loaded.
    pub(crate) limits: Vec<LimitUse>,
}

/// Where a listed bot is at home.
#[derive(Clone)]
pub(crate) struct ListedHome {
    pub(crate) bot: BotId,
    /// Absent while it is offline.
    pub(crate) holder: Option<BotHolder>,
    /// The dead node that held it, as long as the store has not forgotten that.
    pub(crate) lost_node: Option<BootId>,
    /// Since when it is online or offline, Unix milliseconds.
    pub(crate) since_ms: Millis,
}

impl Node {
    /// A tenant as this node sees it. Errors: the tenant is not loaded, and the store does not answer.
    pub(crate) async fn tenant_view(&self, tenant: &TenantId) -> StoreResult<TenantView> {
        if let Some(view) = self.loaded_view(tenant) {
            return Ok(view);
        }
        let dead = Default::default();
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms: self.unix_ms(),
            query: DirectoryQuery::Load { dead }.into(),
        };
        let reply = self.backplane.execute(request).await;
        self.unload_stranger(tenant);
        match reply.and_then(StoreReply::into_directory)? {
            DirectoryReply::Loaded(snapshot) => Ok(self.stored_view(tenant, *snapshot)),
            DirectoryReply::Version(_)
            | DirectoryReply::Claimed { .. }
            | DirectoryReply::Newer(_)
            | DirectoryReply::Asserted(_)
            | DirectoryReply::Done => Err(StoreFailure::Lost),
        }
    }

    fn loaded_view(&self, tenant: &TenantId) -> Option<TenantView> {
        let snapshot = self.snapshot();
        let env = self.env(&snapshot);
        let (replica, limits) = {
            let state = self.shards.lock_of(tenant);
            let replica = state.shard.replica(tenant, &snapshot.nodes)?;
            (replica, state.shard.limit_uses(&env, tenant))
        };
        let Replica {
            key_generation,
            is_suspended,
            bots,
            ..
        } = replica;
        let bots = bots.into_iter().map(|bot| ListedHome {
            bot: bot.id,
            holder: bot.holder,
            lost_node: None,
            since_ms: bot.since_ms,
        });
        Some(TenantView {
            is_loaded: true,
            is_known: true,
            generation: key_generation,
            is_suspended,
            bots: bots.collect(),
            limits: limits.unwrap_or_default(),
        })
    }

    /// Loading subscribed this node to the tenant's events. Under the lock of its shard, as nobody may
    /// join meanwhile who needs them.
    fn unload_stranger(&self, tenant: &TenantId) {
        let state = self.shards.lock_of(tenant);
        if !state.shard.has(tenant) {
            self.backplane.unload(tenant);
        }
    }

    fn stored_view(&self, tenant: &TenantId, snapshot: DirectorySnapshot) -> TenantView {
        let nodes = self.view();
        let (generation, is_suspended) = self.settings().policy_of(tenant);
        let policy = snapshot.policy;
        let bots = snapshot.bots.into_iter().map(|record| {
            let is_dead = |holder: &BotHolder| nodes.is_dead(holder.boot);
            let lost_node = record.holder.as_ref().filter(|holder| is_dead(holder));
            ListedHome {
                bot: record.info.id,
                lost_node: lost_node.map(|holder| holder.boot),
                holder: record.holder.filter(|holder| !is_dead(holder)),
                since_ms: record.info.since,
            }
        });
        let bots: Vec<ListedHome> = bots.collect();
        TenantView {
            is_loaded: false,
            is_known: snapshot.ver > 0 || !bots.is_empty() || !snapshot.conns.is_empty(),
            generation: policy.generation.max(generation),
            is_suspended: policy.suspended || is_suspended,
            bots,
            limits: Vec::new(),
        }
    }
}
