//! The node: its parts, and what they share.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use backplane::Backplane;
use protocol::BootId;
use protocol::lane::LaneKeys;
use router_core::auth::Keyring;
use router_core::ids::HashKeys;
use router_core::{NodeView, Settings};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use super::clock::NodeClock;
use super::clock_steps::ClockSteps;
use super::connections::ConnectionTable;
use super::credentials::CredentialCheck;
use super::drain::DrainState;
use super::isolation::NodeIsolation;
use super::lanes::{LaneHost, LaneTable};
use super::membership::Membership;
use super::message_sample::UndecidedSamples;
use super::pools::MemoryPools;
use super::rate_limited_line::RateLimitedLine;
use super::shards::ShardTable;
use super::shed_log::ShedLog;
use super::store_queue::StoreWork;
use super::usage::NodeUsage;
use crate::access_log::AccessLog;
use crate::config::DrainTimes;
use crate::history::HistoryTable;
use crate::memory::MemoryDivision;
use crate::metrics::Metrics;
use crate::trace::FrameTracer;

/// One process's share of the product.
pub(crate) struct Node {
    pub(super) settings: ArcSwap<Settings>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) access_log: AccessLog,
    pub(crate) history: HistoryTable,
    pub(super) tracer: ArcSwap<FrameTracer>,
    pub(super) clock: NodeClock,
    pub(super) clock_steps: ClockSteps,
    pub(crate) backplane: Backplane,
    pub(super) credentials: CredentialCheck,
    pub(super) pools: MemoryPools,
    pub(super) connections: ConnectionTable,
    pub(super) shards: ShardTable,
    pub(super) membership: Membership,
    pub(super) lanes: LaneTable,
    pub(super) drain: DrainState,
    pub(super) isolation: NodeIsolation,
    /// Whether it gives connections to nodes that have fewer.
    pub(crate) rebalances: bool,
    pub(crate) usage: NodeUsage,
    /// About a journal of usage that cannot be written.
    pub(super) usage_line: RateLimitedLine,
    pub(super) samples: UndecidedSamples,
    pub(super) shed_log: ShedLog,
    /// About directories that are read again and again.
    pub(super) reread_line: RateLimitedLine,
    /// Cancelled when a task failed that the node cannot do without.
    pub(super) failed: CancellationToken,
    pub(super) me: Weak<Node>,
}

/// What a node verifies, signs, traces and counts with.
pub(crate) struct NodeTools {
    /// Credentials.
    pub(crate) keyring: Keyring,
    /// Packets between nodes.
    pub(crate) lane_keys: LaneKeys,
    /// Frames.
    pub(crate) tracer: FrameTracer,
    /// What it does.
    pub(crate) metrics: Arc<Metrics>,
    /// What its tenants use.
    pub(crate) usage: NodeUsage,
    /// How it goes away.
    pub(crate) drain: DrainTimes,
    /// After which time without the store and without answers of others it gives up its connections; zero: never.
    pub(crate) isolate_after: Duration,
    /// Whether it gives connections to nodes that have fewer.
    pub(crate) rebalances: bool,
}

impl Node {
    /// A node without connections, and what its store workers work on.
    pub(crate) fn new(
        settings: Settings,
        tools: NodeTools,
        backplane: Backplane,
        memory: &MemoryDivision,
        sockets_max: usize,
    ) -> (Arc<Self>, Vec<StoreWork>) {
        let clock = NodeClock::start();
        let boot = BootId::from_bits(Ulid::from_parts(clock.now_ms(), fastrand::u128(..)).0);
        let random = RandomState::new();
        let hash_keys = HashKeys(random.hash_one(0), random.hash_one(1));
        let nodes = match backplane.state().kind {
            "memory" => NodeView::alone(boot),
            _ => NodeView::starting(boot),
        };
        let saturation = &tools.metrics.saturation;
        saturation.sockets_max.set(sockets_max as f64);
        saturation.outbound_bytes_max.set(memory.outbound as f64);
        let frame_bytes_max = settings.largest_frame() as usize;
        let settings = Arc::new(settings);
        let (shards, work) = ShardTable::new(random, hash_keys, &settings);
        let node = Arc::new_cyclic(|me: &Weak<Self>| {
            let host: Weak<dyn LaneHost> = me.clone();
            Self {
                settings: ArcSwap::new(settings),
                metrics: tools.metrics,
                access_log: AccessLog::default(),
                history: HistoryTable::new(memory.history),
                tracer: ArcSwap::from_pointee(tools.tracer),
                clock,
                clock_steps: ClockSteps::default(),
                backplane,
                credentials: CredentialCheck::new(tools.keyring),
                pools: MemoryPools::new(memory, sockets_max),
                connections: ConnectionTable::default(),
                shards,
                membership: Membership::new(nodes),
                lanes: LaneTable::new(host, tools.lane_keys, frame_bytes_max, hash_keys),
                drain: DrainState::new(tools.drain),
                isolation: NodeIsolation::new(tools.isolate_after),
                rebalances: tools.rebalances,
                usage: tools.usage,
                usage_line: RateLimitedLine::default(),
                samples: UndecidedSamples::default(),
                shed_log: ShedLog::default(),
                reread_line: RateLimitedLine::default(),
                failed: CancellationToken::new(),
                me: Weak::clone(me),
            }
        });
        (node, work)
    }

    /// Waits until a task fails that the node cannot do without.
    pub(crate) async fn failed(&self) {
        self.failed.cancelled().await;
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}
