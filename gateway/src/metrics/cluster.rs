//! What is counted of the other nodes, the lanes to them, and the store that all share.

use ::metrics::{Counter, Gauge, Recorder};
use backplane::StoreState;
use router_core::NodeView;
use router_core::membership::PeerState;
use router_core::shard::Entries;

use super::handles::{MetricHandles, increment};
use crate::node::{LaneTotals, MISREAD};

/// What crosses between nodes.
pub(crate) struct ClusterMetrics {
    published: Counter,
    published_bytes: Counter,
    received: Counter,
    received_bytes: Counter,
    /// Packets and envelopes that are not understood.
    misread: Vec<(&'static str, Counter)>,
    /// Packets that had to wait behind too many.
    pub dropped: Counter,
    resends: Counter,
    resets: Counter,
    nodes_live: Gauge,
    nodes_suspect: Gauge,
    /// Nodes that lack this node's first secret.
    gap_there: Gauge,
    /// Nodes whose first secret this node lacks.
    gap_here: Gauge,
    beats: Counter,
    degraded: Gauge,
    /// Whether this node alone is cut off.
    pub isolated: Gauge,
    /// Tenants of which the store lost something.
    pub healed: Counter,
    /// Reads of a tenant's directory.
    pub directory_reads: Counter,
    /// Those that had to wait, as the last was a moment ago.
    pub reads_deferred: Counter,
    directory_bots: Gauge,
    directory_connections: Gauge,
    compare_period: Gauge,
    redis_commands: [Counter; 3],
    redis_reconnects: Counter,
    redis_skipped: Counter,
    redis_full: Counter,
    /// Counters of tenants that were repaired.
    pub repaired: Counter,
}

impl ClusterMetrics {
    pub(super) fn new<R: Recorder>(make: &MetricHandles<'_, R>) -> Self {
        let counter = |name| make.counter(name, None);
        let gauge = |name| make.gauge(name, None);
        let nodes = |state: &'static str| make.gauge("t2b_nodes", Some(state.into()));
        let misread =
            |reason: &'static str| make.counter("t2b_lane_refused_total", Some(reason.into()));
        let gap = |at: &'static str| make.gauge("t2b_nodes_secret_gap", Some(at.into()));
        Self {
            gap_there: gap("there"),
            gap_here: gap("here"),
            published: counter("t2b_lane_published_total"),
            published_bytes: counter("t2b_lane_published_bytes_total"),
            received: counter("t2b_lane_received_total"),
            received_bytes: counter("t2b_lane_received_bytes_total"),
            misread: MISREAD.map(|reason| (reason, misread(reason))).into(),
            dropped: counter("t2b_lane_dropped_total"),
            resends: counter("t2b_lane_resends_total"),
            resets: counter("t2b_lane_resets_total"),
            nodes_live: nodes("live"),
            nodes_suspect: nodes("suspect"),
            beats: counter("t2b_beats_total"),
            degraded: gauge("t2b_degraded"),
            isolated: gauge("t2b_isolated"),
            healed: counter("t2b_tenants_healed_total"),
            directory_reads: counter("t2b_directory_reads_total"),
            reads_deferred: counter("t2b_directory_reads_deferred_total"),
            directory_bots: gauge("t2b_directory_bots"),
            directory_connections: gauge("t2b_directory_connections"),
            compare_period: gauge("t2b_compare_period_seconds"),
            redis_commands: ["script", "publish", "other"]
                .map(|kind| make.counter("t2b_redis_commands_total", Some(kind.into()))),
            redis_reconnects: counter("t2b_redis_reconnects_total"),
            redis_skipped: counter("t2b_redis_skipped_total"),
            redis_full: counter("t2b_redis_full_total"),
            repaired: counter("t2b_redis_repaired_total"),
        }
    }

    /// Something of another node is not understood. `reason`: one of [`MISREAD`].
    pub fn misread(&self, reason: &'static str) {
        increment(&self.misread, &reason);
    }

    /// A packet for another node is published.
    pub fn published(&self, bytes: usize) {
        self.published.increment(1);
        self.published_bytes.increment(bytes as u64);
    }

    /// A packet of another node is taken.
    pub fn received(&self, bytes: usize) {
        self.received.increment(1);
        self.received_bytes.increment(bytes as u64);
    }

    /// How the other nodes and the lanes to them are, for a scrape.
    pub fn lanes(&self, nodes: &NodeView, lanes: LaneTotals) {
        let peers = nodes.peers.values();
        let suspect = peers.filter(|peer| peer.state == PeerState::Suspect);
        let suspect = suspect.count();
        self.nodes_suspect.set(suspect as f64);
        self.nodes_live.set((nodes.peers.len() - suspect) as f64);
        let peers = nodes.peers.values().filter(|peer| peer.is_sure());
        let gaps = peers.map(|peer| nodes.secret_gap(peer));
        let (mut there, mut here) = (0, 0);
        for gap in gaps {
            there += u32::from(gap.ours_unknown_there);
            here += u32::from(gap.theirs_unknown_here);
        }
        self.gap_there.set(f64::from(there));
        self.gap_here.set(f64::from(here));
        self.beats.absolute(nodes.beat);
        self.degraded.set(f64::from(u8::from(nodes.degraded)));
        self.resends.absolute(lanes.resends);
        self.resets.absolute(lanes.resets);
    }

    /// How the store is that all share, and what this node has of it.
    pub fn store(&self, state: &StoreState, entries: Entries, compare_ms: u64) {
        self.directory_bots.set(entries.bots as f64);
        self.directory_connections.set(entries.connections as f64);
        self.compare_period.set(compare_ms as f64 / 1000.0);
        if state.kind != "memory" {
            self.redis_reconnects.absolute(state.reconnects);
            self.redis_skipped.absolute(state.skipped_records);
            self.redis_full.absolute(state.full_refusals);
            for (counter, count) in self.redis_commands.iter().zip(state.commands) {
                counter.absolute(count);
            }
        }
    }
}
