//! The shards of the node: each holds a part of the tenants behind one lock.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use protocol::{ClientId, TenantId};
use router_core::ids::{HashKeys, TableKeys};
use router_core::shard::Entries;
use router_core::store::StoreQueue;
use router_core::{ConnKey, Settings, Shard};

use super::client_shares::ClientHash;
use super::entry::ConnectionEntry;
use super::lock::lock;
use super::pools::MemoryPools;
use super::store_queue::{StoreSenders, StoreWork, store_queues};
use super::tenant_budgets::{SocketOwner, TenantBudgets};

/// Shards of a node: enough that two cores rarely want the same one.
const SHARDS: usize = 32;

/// The shards, and which tenant is in which.
pub(super) struct ShardTable {
    cells: Vec<ShardCell>,
    table_keys: TableKeys,
    /// Of [`ClientHash`]es.
    client_keys: RandomState,
    /// How long it takes until every tenant may have asked the store something, milliseconds.
    round_ms: AtomicU64,
}

/// A shard, its lock, and its way to the store.
pub(super) struct ShardCell {
    state: Mutex<ShardState>,
    /// When the shard wants to be woken; `u64::MAX` = never.
    pub(super) wake_ms: AtomicU64,
    pub(super) store: StoreSenders,
}

/// What the lock of a shard guards.
pub(super) struct ShardState {
    pub(super) shard: Shard,
    /// What holds for its tenants. A reload changes it under the lock.
    pub(super) settings: Arc<Settings>,
    /// Nobody chooses these keys: they are counted up.
    pub(super) connections: foldhash::HashMap<ConnKey, Arc<ConnectionEntry>>,
    pub(super) budgets: HashMap<TenantId, Box<TenantBudgets>>,
}

impl ShardTable {
    /// Shards without tenants, and what their store workers work on.
    pub(super) fn new(
        random: RandomState,
        hash_keys: HashKeys,
        settings: &Arc<Settings>,
    ) -> (Self, Vec<StoreWork>) {
        let mut work = Vec::with_capacity(SHARDS);
        let cells = (0..SHARDS).map(|shard| {
            let (store, queues) = store_queues(shard);
            work.extend(queues);
            ShardCell {
                state: Mutex::new(ShardState {
                    shard: Shard::new(hash_keys),
                    settings: Arc::clone(settings),
                    connections: foldhash::HashMap::default(),
                    budgets: HashMap::new(),
                }),
                wake_ms: AtomicU64::new(u64::MAX),
                store,
            }
        });
        let cells = cells.collect();
        let shards = Self {
            cells,
            table_keys: TableKeys::new(hash_keys),
            client_keys: random,
            round_ms: AtomicU64::default(),
        };
        (shards, work)
    }

    /// The index of a tenant's shard.
    pub(super) fn index_of(&self, tenant: &TenantId) -> usize {
        // A different part of the hash than the shard's own map uses.
        (self.table_keys.hash(tenant) >> 32) as usize % SHARDS
    }

    /// What stands for a client id.
    pub(super) fn client_hash(&self, client: &ClientId) -> ClientHash {
        self.client_keys.hash_one(client)
    }

    /// Every shard, in order.
    pub(super) fn cells(&self) -> &[ShardCell] {
        &self.cells
    }

    /// The shard of an index.
    pub(super) fn cell(&self, index: usize) -> &ShardCell {
        &self.cells[index]
    }

    /// The shard of a tenant, locked.
    pub(super) fn lock_of(&self, tenant: &TenantId) -> MutexGuard<'_, ShardState> {
        self.cell(self.index_of(tenant)).lock()
    }

    /// Tenants in memory.
    pub(super) fn tenants(&self) -> usize {
        let tenants = self.cells.iter().map(|cell| cell.lock().shard.tenants());
        tenants.sum()
    }

    /// What this node has of its tenants' directories.
    pub(super) fn entries(&self) -> Entries {
        let entries = self.cells.iter().map(|cell| cell.lock().shard.entries());
        entries.sum()
    }

    /// Requests of all shards that wait in one queue to the store.
    pub(super) fn store_waiting(&self, queue: StoreQueue) -> usize {
        self.cells
            .iter()
            .map(|cell| cell.store.waiting(queue))
            .sum()
    }

    /// How long it takes until every tenant may have asked the store something, milliseconds.
    pub(super) fn round_ms(&self) -> u64 {
        self.round_ms.load(Ordering::Relaxed)
    }

    pub(super) fn set_round_ms(&self, round_ms: u64) {
        self.round_ms.store(round_ms, Ordering::Relaxed);
    }
}

impl ShardCell {
    pub(super) fn lock(&self) -> MutexGuard<'_, ShardState> {
        lock(&self.state)
    }
}

impl ShardState {
    /// Lets a connection in, so that effects can reach it. What may wait for it is its tenant's to
    /// say from now on, since its greeting is long; what it may send, only once it has joined.
    ///
    /// False: its tenant has no place for it, or not even what waits already fits its budget.
    pub(super) fn enter(
        &mut self,
        pools: &MemoryPools,
        tenant: &TenantId,
        client: ClientHash,
        entry: &Arc<ConnectionEntry>,
    ) -> bool {
        let own = self.budgets_of(pools, tenant);
        own.sockets += 1;
        let place = own.places.place();
        let has_place = place.is_some();
        let share = Arc::clone(&own.share);
        entry.socket.set_read_limits(own.read_limits());
        let limits = own.write_limits(client);
        self.connections.insert(entry.key, Arc::clone(entry));
        // It joins once.
        let _ = entry.owner.set(SocketOwner::new(share, client, place));
        has_place && entry.socket.set_write_limits(limits)
    }

    pub(super) fn exit(&mut self, tenant: &TenantId, key: ConnKey) {
        let Some(entry) = self.connections.remove(&key) else {
            return;
        };
        let (Some(own), Some(owner)) = (self.budgets.get_mut(tenant), entry.owner.get()) else {
            return;
        };
        own.sockets -= 1;
        own.exit(owner.client);
        self.forget_unused(tenant);
    }

    /// What a tenant's sockets share; made with the first of them.
    pub(super) fn budgets_of(
        &mut self,
        pools: &MemoryPools,
        tenant: &TenantId,
    ) -> &mut TenantBudgets {
        let own = self.budgets.entry(tenant.clone());
        own.or_insert_with(|| {
            // What an operator assigned is known when the tenant lets a socket in.
            let limits = self.settings.terms_of(tenant, None).limits;
            Box::new(TenantBudgets::new(tenant, limits, pools))
        })
    }

    /// Forgets what a tenant's sockets share, if it has none.
    pub(super) fn forget_unused(&mut self, tenant: &TenantId) {
        let own = self.budgets.get(tenant);
        if own.is_some_and(|own| own.sockets == 0 && own.kept == 0) {
            self.budgets.remove(tenant);
        }
    }
}
