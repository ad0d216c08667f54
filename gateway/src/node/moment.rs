//! One look at the clock, the other nodes and the settings.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::Guard;
use router_core::{Millis, NodeView, Settings};

/// What time it is, which nodes there are, and what the operator chose.
pub(super) struct EnvMoment {
    pub(super) nodes: Arc<NodeView>,
    pub(super) settings: Arc<Settings>,
    pub(super) now_ms: Millis,
    /// The same, for durations below a millisecond.
    pub(super) at: Instant,
}

/// The nodes and the settings as they are now, for work that does not wait.
pub(super) struct NodeSnapshot {
    pub(super) nodes: Guard<Arc<NodeView>>,
    pub(super) settings: Guard<Arc<Settings>>,
}
