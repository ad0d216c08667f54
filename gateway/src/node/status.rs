//! What the node tells of itself: the time, its view, how much it has.

use std::sync::Arc;
use std::time::Instant;

use protocol::limits::COMPARE_MS;
use router_core::shard::Entries;
use router_core::{Env, Millis, NodeView, Settings};

use super::core::Node;
use super::moment::{EnvMoment, NodeSnapshot};
use super::work::DeferredWork;

impl Node {
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
        self.connections.count()
    }

    /// Tenants in memory.
    pub(crate) fn tenants(&self) -> usize {
        self.shards.tenants()
    }

    /// What this node has of its tenants' directories.
    pub(crate) fn entries(&self) -> Entries {
        self.shards.entries()
    }

    /// How often a tenant compares its directory with the store's, milliseconds.
    pub(crate) fn compare_ms(&self) -> u64 {
        self.shards.round_ms().max(COMPARE_MS)
    }

    /// The nodes as they are seen now.
    pub(crate) fn view(&self) -> arc_swap::Guard<Arc<NodeView>> {
        self.membership.view()
    }

    /// What the operator chose, as it holds now.
    pub(crate) fn settings(&self) -> arc_swap::Guard<Arc<Settings>> {
        self.settings.load()
    }

    /// The same, for work that waits.
    pub(crate) fn whole_settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    pub(super) fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot {
            nodes: self.view(),
            settings: self.settings(),
        }
    }

    pub(super) fn env<'a>(&'a self, now: &'a NodeSnapshot) -> Env<'a> {
        self.env_of(&now.nodes, &now.settings, self.clock.now_ms())
    }

    /// What time it is for all of this work. Give it back to the work when it is used.
    pub(super) fn moment_of(&self, work: &mut DeferredWork) -> EnvMoment {
        work.moment.take().unwrap_or_else(|| {
            let at = Instant::now();
            EnvMoment {
                nodes: self.membership.whole_view(),
                settings: self.settings.load_full(),
                now_ms: self.clock.at_ms(at),
                at,
            }
        })
    }

    pub(super) fn env_at<'a>(&'a self, moment: &'a EnvMoment) -> Env<'a> {
        self.env_of(&moment.nodes, &moment.settings, moment.now_ms)
    }

    fn env_of<'a>(
        &'a self,
        nodes: &'a NodeView,
        settings: &'a Settings,
        now_ms: Millis,
    ) -> Env<'a> {
        Env {
            now_ms,
            unix_ms: self.clock.unix_ms(now_ms),
            entropy: fastrand::u128(..),
            settings,
            nodes,
            round_ms: self.shards.round_ms(),
        }
    }
}
