//! A node: its connections, its shards, and what they share.
//!
//! ```text
//!  handler (one per socket) ──────▶ Session ─▶ perform ─▶ Shard ─▶ mailboxes, store queue
//!  caller (one per HTTP request) ─▶ the same, with frames taken by its task
//!  ticker (one) ──────────────────▶ sessions and shards that are due
//!  store worker (one per shard and queue) ──▶ Backplane::execute ─▶ Shard
//!  lanes (two tasks per other node) ─▶ shards, and onto the backplane
//! ```
//!
//! Locks, in this order: a session, then a shard, then one leaf (a mailbox, the throttle, a lane, a
//! slot of the connection table). Nobody holds two sessions or two shards.

mod call;
mod clock;
mod clock_steps;
mod cluster;
mod entry;
mod failures;
mod handler;
mod kept;
mod lanes;
mod logged;
mod member;
mod peers;
mod perform;
mod secrets;
mod seldom;
mod shed;
mod shutdown;
mod source;
mod store_worker;
mod tenant_budgets;
mod ticker;
mod unpaid_answers;
mod unpaid_frames;
mod work;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use arc_swap::ArcSwap;
use backplane::Backplane;
use protocol::lane::LaneKeys;
use protocol::{BootId, TenantId};
use router_core::auth::{Keyring, Source, Throttle};
use router_core::ids::{HashKeys, TableKeys};
use router_core::membership::NodeInput;
use router_core::session::Opened;
use router_core::shard::Entries;
use router_core::{ConnKey, Env, Millis, Nodes, Session, Settings, Shard};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use crate::access_log::AccessLog;
use crate::dialect::Dialect;
use crate::gate::Open;
use crate::memory::{MemoryDivision, places, pool};
use crate::metrics::Metrics;
use crate::trace::Tracer;
use crate::ws::{Budget, Connection, Pool, ReadLimits, WriteLimits};
pub(crate) use call::Caller;
use clock::Clock;
use clock_steps::ClockSteps;
pub(crate) use cluster::Identity;
pub(crate) use entry::Entry;
pub(crate) use handler::SessionHandler;
pub(crate) use lanes::LaneTotals;
use lanes::Lanes;
use member::Member;
use peers::Misread;
pub(crate) use peers::{MISREAD, key_list};
pub(crate) use secrets::UsingOld;
use seldom::Seldom;
use shed::ShedLog;
pub(crate) use source::Sources;
use store_worker::StoreSenders;
pub(crate) use store_worker::StoreWork;
use tenant_budgets::{SocketOwner, TenantBudgets};
pub(crate) use work::Work;

/// Shards of a node: enough that two cores rarely want the same one.
const SHARDS: usize = 32;
/// Slots of the connection table: accepting and ticking lock one at a time.
const SLOTS: usize = 64;
/// Bytes that may wait for a socket without a tenant: its greeting and its refusals.
const OUTBOUND_UNAUTHENTICATED: usize = 64 * 1024;
/// Which part of each pool all sockets without a tenant may take together: an eighth.
const STRANGERS_PART: u64 = 8;

/// One process's share of the product.
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) access_log: AccessLog,
    pub(crate) backplane: Backplane,
    pub(crate) outbound: Pool,
    pub(crate) assembly: Pool,
    places: Pool,
    /// Of sockets without a tenant.
    strangers: Strangers,
    shed_log: ShedLog,
    keyring: Keyring,
    tracer: Tracer,
    throttle: Mutex<Throttle>,
    clock: Clock,
    clock_steps: ClockSteps,
    view: ArcSwap<Nodes>,
    lanes: Lanes,
    /// Told when another node is seen for the first time.
    joined: Notify,
    /// Largest frame of any tenant, bytes: what a packet of another node may carry.
    frame_bytes_max: usize,
    /// To the node machine, once it runs.
    inputs: OnceLock<mpsc::Sender<NodeInput>>,
    /// Whether the store was ever there.
    was_well: AtomicBool,
    /// Cancelled when a task failed that the node cannot do without.
    failed: CancellationToken,
    /// The line about directories that are read again and again.
    reread_line: Seldom,
    /// The line about a system clock that differs from the store's.
    skew_line: Seldom,
    /// When the log last told of packets of whom that are not understood.
    misread: Mutex<Misread>,
    /// How long it takes until every tenant may have asked the store something, milliseconds.
    round_ms: AtomicU64,
    me: Weak<Node>,
    table_keys: TableKeys,
    /// Of [`ClientHash`]es.
    client_keys: RandomState,
    shards: Vec<ShardCell>,
    slots: Vec<Mutex<HashMap<ConnKey, Arc<Entry>>>>,
    next_key: AtomicU64,
    draining: AtomicBool,
    /// Requests of the HTTP API whose answer is not written yet.
    answering: AtomicUsize,
}

/// What a task holds that the node cannot do without: if it panics, the node fails.
pub(crate) struct Vital(Arc<Node>);

impl Drop for Vital {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.cancel();
        }
    }
}

/// A shard, its lock, and its way to the store.
struct ShardCell {
    state: Mutex<ShardState>,
    wake_ms: AtomicU64,
    store: StoreSenders,
}

struct ShardState {
    shard: Shard,
    /// Nobody chooses these keys: they are counted up.
    connections: foldhash::HashMap<ConnKey, Arc<Entry>>,
    budgets: HashMap<TenantId, Box<TenantBudgets>>,
}

/// What time it is, and which nodes there are.
struct Moment {
    nodes: Arc<Nodes>,
    now_ms: Millis,
}

/// What all sockets without a tenant share.
struct Strangers {
    outbound: Budget,
    assembly: Budget,
}

/// What a node verifies, signs, traces and counts with.
pub(crate) struct Own {
    /// Credentials.
    pub(crate) keyring: Keyring,
    /// Packets between nodes.
    pub(crate) lane_keys: LaneKeys,
    /// Frames.
    pub(crate) tracer: Tracer,
    /// What it does.
    pub(crate) metrics: Arc<Metrics>,
}

impl Node {
    /// A node without connections, and what its store workers work on.
    pub(crate) fn new(
        settings: Settings,
        own: Own,
        backplane: Backplane,
        memory: MemoryDivision,
        sockets_max: usize,
    ) -> (Arc<Self>, Vec<StoreWork>) {
        let Own {
            keyring,
            lane_keys,
            tracer,
            metrics,
        } = own;
        let clock = Clock::start();
        let boot = BootId::from_bits(Ulid::from_parts(clock.now_ms(), fastrand::u128(..)).0);
        let random = RandomState::new();
        let hash_keys = HashKeys(random.hash_one(0), random.hash_one(1));
        let mut work = Vec::with_capacity(SHARDS);
        let shards = (0..SHARDS).map(|shard| {
            let (store, queues) = store_worker::queues(shard);
            work.extend(queues);
            ShardCell {
                state: Mutex::new(ShardState {
                    shard: Shard::new(hash_keys),
                    connections: foldhash::HashMap::default(),
                    budgets: HashMap::new(),
                }),
                wake_ms: AtomicU64::new(u64::MAX),
                store,
            }
        });
        let nodes = match backplane.state().kind {
            "memory" => Nodes::alone(boot),
            _ => Nodes::starting(boot),
        };
        let shards = shards.collect();
        let (outbound, assembly) = (pool(memory.outbound), pool(memory.assembly));
        let frame_bytes_max = largest_frame(&settings);
        let node = Arc::new_cyclic(|me| Self {
            shards,
            settings,
            keyring,
            tracer,
            backplane,
            lanes: Lanes::new(Weak::clone(me), lane_keys, hash_keys),
            frame_bytes_max,
            joined: Notify::new(),
            inputs: OnceLock::new(),
            was_well: AtomicBool::new(false),
            failed: CancellationToken::new(),
            reread_line: Seldom::default(),
            skew_line: Seldom::default(),
            misread: Mutex::default(),
            round_ms: AtomicU64::default(),
            me: Weak::clone(me),
            table_keys: TableKeys::new(hash_keys),
            client_keys: random,
            metrics,
            access_log: AccessLog::default(),
            places: places(sockets_max),
            shed_log: ShedLog::default(),
            strangers: Strangers {
                outbound: Budget::in_pool(memory.outbound / STRANGERS_PART, &outbound),
                assembly: Budget::in_pool(memory.assembly / STRANGERS_PART, &assembly),
            },
            outbound,
            assembly,
            throttle: Mutex::default(),
            view: ArcSwap::from_pointee(nodes),
            clock,
            clock_steps: ClockSteps::default(),
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
            next_key: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            answering: AtomicUsize::new(0),
        });
        (node, work)
    }

    /// Makes a connection of an upgraded socket, and what to drive it with.
    pub(crate) fn connect(
        self: &Arc<Self>,
        dialect: Dialect,
        socket: impl FnOnce(WriteLimits) -> Arc<Connection>,
        (source, open): (Source, Open),
        opened: Opened,
    ) -> SessionHandler {
        SessionHandler::new(self.enter(dialect, socket, source, open), opened)
    }

    /// Gives a connection its place in the node.
    fn enter(
        self: &Arc<Self>,
        dialect: Dialect,
        socket: impl FnOnce(WriteLimits) -> Arc<Connection>,
        source: Source,
        open: Open,
    ) -> Member {
        let view = self.view();
        let env = self.env(&view);
        let key = ConnKey(self.next_key.fetch_add(1, Ordering::Relaxed));
        let limits = WriteLimits {
            bytes: OUTBOUND_UNAUTHENTICATED,
            frames: self.settings.limits.outbound_frames,
            budget: self.strangers.outbound.clone(),
        };
        let session = Session::new(key, &env);
        let entry = Arc::new(Entry::new(
            key,
            session,
            (source, open),
            (dialect, socket(limits)),
        ));
        entry.socket.watch_kernel();
        Member::new(Arc::clone(self), entry)
    }

    /// The limits of a socket before it has a tenant.
    pub(crate) fn read_limits_unauthenticated(&self) -> ReadLimits {
        ReadLimits {
            message_bytes: protocol::limits::FRAME_BYTES_UNAUTHENTICATED,
            assembly: self.strangers.assembly.clone(),
        }
    }

    /// The time for deadlines, milliseconds.
    pub(crate) fn now_ms(&self) -> Millis {
        self.clock.now_ms()
    }

    /// The time of day, Unix milliseconds.
    pub(crate) fn unix_ms(&self) -> Millis {
        self.clock.unix_ms(self.clock.now_ms())
    }

    /// How long this node has been up, milliseconds.
    pub(crate) fn uptime_ms(&self) -> Millis {
        self.clock.uptime_ms()
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> usize {
        self.slots.iter().map(|slot| lock(slot).len()).sum()
    }

    /// Tenants in memory.
    pub(crate) fn tenants(&self) -> usize {
        self.shards
            .iter()
            .map(|cell| lock(&cell.state).shard.tenants())
            .sum()
    }

    /// Waits until a task fails that the node cannot do without.
    pub(crate) async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// What this node has of its tenants' directories.
    pub(crate) fn entries(&self) -> Entries {
        let shards = self.shards.iter();
        let entries = shards.map(|cell| lock(&cell.state).shard.entries());
        entries.sum()
    }

    /// Counts a request whose answer a drain waits for, until what this returns is dropped.
    pub(crate) fn answering(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Ordering::AcqRel);
        Answering(Arc::clone(self))
    }

    /// Whether it is shutting down.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// The nodes as they are seen now.
    pub(crate) fn view(&self) -> arc_swap::Guard<Arc<Nodes>> {
        self.view.load()
    }

    fn env<'a>(&'a self, nodes: &'a Nodes) -> Env<'a> {
        self.env_of(nodes, self.clock.now_ms())
    }

    fn moment(&self) -> Moment {
        Moment {
            nodes: self.view.load_full(),
            now_ms: self.clock.now_ms(),
        }
    }

    fn env_at<'a>(&'a self, moment: &'a Moment) -> Env<'a> {
        self.env_of(&moment.nodes, moment.now_ms)
    }

    fn env_of<'a>(&'a self, nodes: &'a Nodes, now_ms: Millis) -> Env<'a> {
        Env {
            now_ms,
            unix_ms: self.clock.unix_ms(now_ms),
            entropy: fastrand::u128(..),
            settings: &self.settings,
            nodes,
            round_ms: self.round_ms.load(Ordering::Relaxed),
        }
    }

    fn lane_keys(&self) -> &LaneKeys {
        &self.lanes.keys
    }

    fn shard_of(&self, tenant: &TenantId) -> usize {
        // A different part of the hash than the shard's own map uses.
        (self.table_keys.hash(tenant) >> 32) as usize % SHARDS
    }

    fn slot(&self, key: ConnKey) -> &Mutex<HashMap<ConnKey, Arc<Entry>>> {
        &self.slots[key.0 as usize % SLOTS]
    }

    /// Everybody who is connected, slot by slot.
    fn for_each_connection(&self, mut then: impl FnMut(&Arc<Entry>)) {
        for slot in &self.slots {
            let entries: Vec<Arc<Entry>> = lock(slot).values().cloned().collect();
            entries.iter().for_each(&mut then);
        }
    }
}

/// The largest frame that any tenant may send, bytes.
fn largest_frame(settings: &Settings) -> usize {
    let own = settings.tenants.values().map(|own| own.limits.frame_bytes);
    own.fold(settings.limits.frame_bytes, u32::max) as usize
}

/// A request whose answer is not written yet.
pub(crate) struct Answering(Arc<Node>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

/// A panic is caught where it happens and closes its connection; what it locked is still good,
/// since machines change their state in steps that are whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
