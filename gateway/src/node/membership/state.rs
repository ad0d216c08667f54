//! What the node knows of the other nodes, and of itself as one of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use protocol::UsageHour;
use router_core::NodeView;
use router_core::membership::NodeInput;
use tokio::sync::{Notify, mpsc};

use super::misread::MisreadLog;
use crate::node::rate_limited_line::RateLimitedLine;

/// The membership of the node in its cluster.
pub(in crate::node) struct Membership {
    view: ArcSwap<NodeView>,
    /// To the node machine, once it runs.
    pub(super) inputs: OnceLock<mpsc::Sender<NodeInput>>,
    /// Told when another node is discovered.
    pub(in crate::node) joined: Notify,
    /// Told when what the node says of itself has changed.
    pub(in crate::node) said_anew: Notify,
    /// Told when the node beats no more.
    pub(super) left: Notify,
    /// Whether the store was ever there.
    was_well: AtomicBool,
    pub(super) misread: Mutex<MisreadLog>,
    /// About a system clock that differs from the store's.
    pub(super) skew_line: RateLimitedLine,
}

impl Membership {
    pub(in crate::node) fn new(nodes: NodeView) -> Self {
        Self {
            view: ArcSwap::from_pointee(nodes),
            inputs: OnceLock::new(),
            joined: Notify::new(),
            said_anew: Notify::new(),
            left: Notify::new(),
            was_well: AtomicBool::new(false),
            misread: Mutex::default(),
            skew_line: RateLimitedLine::default(),
        }
    }

    /// The nodes as they are seen now.
    pub(in crate::node) fn view(&self) -> arc_swap::Guard<Arc<NodeView>> {
        self.view.load()
    }

    /// The same, to be kept.
    pub(in crate::node) fn whole_view(&self) -> Arc<NodeView> {
        self.view.load_full()
    }

    pub(super) fn set_view(&self, nodes: NodeView) {
        self.view.store(Arc::new(nodes));
    }

    /// All usage of the hours before this one is booked: says so in the next beat. False: it cannot be said
    /// now.
    pub(in crate::node) fn note_flushed(&self, hour: UsageHour) -> bool {
        let view = self.whole_view();
        if view.shared {
            let inputs = self.inputs.get();
            return inputs.is_some_and(|it| it.try_send(NodeInput::Flushed(hour)).is_ok());
        }
        // Nobody else changes the view of a node that stands alone.
        self.set_view(NodeView {
            own_flushed: hour,
            ..NodeView::clone(&view)
        });
        true
    }

    /// Tells the machine something. What cannot be told now, the store tells it later.
    pub(super) fn hint(&self, input: NodeInput) {
        if let Some(inputs) = self.inputs.get() {
            drop(inputs.try_send(input));
        }
    }

    pub(super) fn note_well(&self) {
        self.was_well.store(true, Ordering::Release);
    }

    /// Whether the store is there, or was, if that is enough.
    pub(super) fn is_ready(&self, ready_when_degraded: bool) -> bool {
        let was_well = self.was_well.load(Ordering::Acquire);
        !self.view().degraded || (ready_when_degraded && was_well)
    }
}
