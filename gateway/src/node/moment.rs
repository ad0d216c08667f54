//! One look at the clock and at the other nodes.

use std::sync::Arc;
use std::time::Instant;

use router_core::{Millis, NodeView};

/// What time it is, and which nodes there are.
pub(super) struct EnvMoment {
    pub(super) nodes: Arc<NodeView>,
    pub(super) now_ms: Millis,
    /// The same, for durations below a millisecond.
    pub(super) at: Instant,
}
