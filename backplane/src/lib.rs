//! Layer 2: the store and the ways between nodes, behind one closed list of requests.
//!
//! The gateway knows only [`Backplane`], of which there are two kinds: [`MemoryStore`], a single node
//! whose store is the reference model itself, and [`Redis`], what many nodes share.

mod bounds;
mod features;
mod keys;
mod memory;
mod redis;
mod script;
mod state;

use std::net::IpAddr;

use bytes::Bytes;
use protocol::{BootId, TenantId};
use router_core::Millis;
use router_core::store::nodes::{NodeQuery, NodeReply};
use router_core::store::tenants::{ListedTenant, TenantPart};
use router_core::store::usage::TenantIndex;
use router_core::store::{StoreRequest, StoreResult, UsageIndexQuery};
use tokio::sync::mpsc;

pub use self::redis::{
    ClientCertificate, ConnectError, InboundMessage, Redis, RedisConfig, ServerAddress, StoreClock,
};
pub use memory::{MemoryStore, OpenError};
pub use state::StoreState;

/// Answers some requests in place of the store: how a test plants a fault.
pub type StoreFault = Box<dyn Fn(&StoreRequest) -> Option<StoreResult> + Send + Sync>;

/// The store of a node, and its way to other nodes.
pub struct Backplane {
    kind: BackplaneKind,
    fault: Option<StoreFault>,
}

enum BackplaneKind {
    Memory(Box<MemoryStore>),
    Redis(Box<Redis>),
}

impl Backplane {
    /// The store of a node that stands alone.
    pub fn memory(memory: MemoryStore) -> Self {
        Self::new(BackplaneKind::Memory(Box::new(memory)))
    }

    /// What a node shares with others.
    pub fn redis(redis: Redis) -> Self {
        Self::new(BackplaneKind::Redis(Box::new(redis)))
    }

    fn new(kind: BackplaneKind) -> Self {
        let fault = None;
        Self { kind, fault }
    }

    /// The same, with a fault planted in it.
    pub fn with_fault(self, fault: StoreFault) -> Self {
        Self {
            fault: Some(fault),
            ..self
        }
    }

    /// Asks for a tenant. A request that was not carried out is `Refused(store_unavailable)`, one
    /// of which that is not known is `Lost`. One tenant's requests of one queue
    /// ([`StoreQueue`](router_core::store::StoreQueue)) are executed in the order of the calls (of
    /// their first polls). From `Load` on the tenant's events come in, until
    /// [`Self::unload`].
    pub async fn execute(&self, request: StoreRequest) -> StoreResult {
        if let Some(reply) = self.fault.as_ref().and_then(|fault| fault(&request)) {
            return reply;
        }
        match &self.kind {
            BackplaneKind::Memory(memory) => memory.execute(request),
            BackplaneKind::Redis(redis) => redis.execute(&request).await,
        }
    }

    /// Asks which tenants used something on a day. Errors: as [`Self::execute`].
    pub async fn usage_index(&self, query: UsageIndexQuery) -> StoreResult<TenantIndex> {
        match &self.kind {
            BackplaneKind::Memory(memory) => Ok(memory.usage_index(&query)),
            BackplaneKind::Redis(redis) => redis.usage_index(&query).await,
        }
    }

    /// Asks which tenants are in a part of the list: those that used something, and those that operators
    /// changed; in order. Errors: as [`Self::execute`].
    pub async fn tenants(&self, part: TenantPart) -> StoreResult<Vec<ListedTenant>> {
        match &self.kind {
            BackplaneKind::Memory(memory) => Ok(memory.tenants(part)),
            BackplaneKind::Redis(redis) => redis.tenants(part).await,
        }
    }

    /// Takes a tenant out of the list of which the ledger has no usage, and nothing is assigned to it. Errors: as
    /// [`Self::execute`].
    pub async fn forget_tenant(&self, tenant: &TenantId, now_ms: Millis) -> StoreResult<()> {
        match &self.kind {
            // Its list has no tenants of their own.
            BackplaneKind::Memory(_) => Ok(()),
            BackplaneKind::Redis(redis) => redis.forget_tenant(tenant, now_ms).await,
        }
    }

    /// Asks about nodes. A node that stands alone has none to ask about: `Unavailable`.
    pub async fn execute_node(&self, ask: NodeQuery) -> NodeReply {
        match &self.kind {
            BackplaneKind::Memory(_) => NodeReply::Unavailable,
            BackplaneKind::Redis(redis) => redis.execute_node(&ask).await,
        }
    }

    /// Publishes a packet to a node. Errors: it may have been published or not.
    pub async fn publish(&self, boot: BootId, packet: Bytes) -> Result<(), ()> {
        match &self.kind {
            BackplaneKind::Memory(_) => Err(()),
            BackplaneKind::Redis(redis) => redis.publish(boot, &packet).await,
        }
    }

    /// Publishes a probe to the node itself, over every connection that listens; it comes back as
    /// [`InboundMessage::Probe`]. Errors: it may not.
    pub async fn probe(&self, boot: BootId, number: u64) -> Result<(), ()> {
        match &self.kind {
            BackplaneKind::Memory(_) => Err(()),
            BackplaneKind::Redis(redis) => redis.probe(boot, number).await,
        }
    }

    /// Subscribes a node's inbox, now and after every outage. Errors: not yet; it is before the
    /// next [`InboundMessage::LinkUp`].
    pub async fn subscribe_node(&self, boot: BootId) -> Result<(), ()> {
        match &self.kind {
            BackplaneKind::Memory(_) => Ok(()),
            BackplaneKind::Redis(redis) => redis.subscribe_node(boot).await,
        }
    }

    /// Ends [`Self::subscribe_node`].
    pub fn unsubscribe_node(&self, boot: BootId) {
        match &self.kind {
            BackplaneKind::Memory(_) => {}
            BackplaneKind::Redis(redis) => redis.unsubscribe_node(boot),
        }
    }

    /// The node has nothing of this tenant any more: its events need not come.
    pub fn unload(&self, tenant: &TenantId) {
        match &self.kind {
            BackplaneKind::Memory(_) => {}
            BackplaneKind::Redis(redis) => redis.unload(tenant),
        }
    }

    /// What arrives, for the one task that takes it. `None`: a node alone, or it was taken.
    pub fn inbound(&self) -> Option<mpsc::Receiver<InboundMessage>> {
        match &self.kind {
            BackplaneKind::Memory(_) => None,
            BackplaneKind::Redis(redis) => redis.inbound(),
        }
    }

    /// Ends the present connections to the store and makes new ones after the usual wait, between
    /// [`InboundMessage::LinkDown`] and [`InboundMessage::LinkUp`]. For a node whose probes do not come back
    /// although all connections seem well. Without a connection, or alone: nothing.
    pub fn renew(&self) {
        match &self.kind {
            BackplaneKind::Memory(_) => {}
            BackplaneKind::Redis(redis) => redis.renew(),
        }
    }

    /// What operators are shown.
    pub fn state(&self) -> StoreState {
        match &self.kind {
            BackplaneKind::Memory(_) => StoreState::alone(),
            BackplaneKind::Redis(redis) => redis.state(),
        }
    }

    /// Compares the clocks: this machine's time less that of the store that all share, milliseconds.
    /// `None`: a node alone, or no answer.
    pub async fn clock_skew(&self) -> Option<i64> {
        match &self.kind {
            BackplaneKind::Memory(_) => None,
            BackplaneKind::Redis(redis) => redis.clock_skew().await,
        }
    }

    /// The address of this machine towards the store that all share. `None`: a node alone, or no connection yet.
    pub fn local_ip(&self) -> Option<IpAddr> {
        match &self.kind {
            BackplaneKind::Memory(_) => None,
            BackplaneKind::Redis(redis) => redis.local_ip(),
        }
    }

    /// Forgets what is a day old; to be called every few seconds. Redis does so itself.
    pub fn sweep(&self, now_ms: u64) {
        match &self.kind {
            BackplaneKind::Memory(memory) => memory.sweep(now_ms),
            BackplaneKind::Redis(_) => {}
        }
    }

    /// Why policies that hold now would end with this process: the state directory cannot be written.
    /// `None`: they are kept, there or by Redis.
    pub fn unsaved_policies(&self) -> Option<String> {
        match &self.kind {
            BackplaneKind::Memory(memory) => memory.unsaved_policies(),
            BackplaneKind::Redis(_) => None,
        }
    }

    /// Bytes in use and the most there may be; zeros where the store is elsewhere.
    pub fn bytes(&self) -> (u64, u64) {
        match &self.kind {
            BackplaneKind::Memory(memory) => memory.bytes(),
            BackplaneKind::Redis(_) => (0, 0),
        }
    }
}

impl std::fmt::Debug for Backplane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backplane").finish_non_exhaustive()
    }
}
