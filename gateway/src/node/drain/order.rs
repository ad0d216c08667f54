//! The drain that an operator begins, and may take back.

use std::sync::Arc;

use super::DrainPhase;
use crate::node::core::Node;
use crate::node::vital::VitalTask;

impl Node {
    /// Begins to drain, without an end of the process. Asked twice, it goes on as before.
    ///
    /// False: no other node can take its sockets.
    pub(crate) fn order_drain(self: &Arc<Self>) -> bool {
        if self.is_draining() {
            return true;
        }
        if !self.can_hand_over() {
            return false;
        }
        self.log_drain("an operator drains this node");
        let node = Arc::clone(self);
        let task = tokio::spawn(async move {
            let _vital = VitalTask::new(&node.failed);
            node.announce().await;
            node.move_sockets().await;
            node.reach(DrainPhase::Drained);
            node.log_drain("drained");
        });
        self.drain.is_ordered(task.abort_handle());
        true
    }

    /// Takes the drain back: the node takes sockets again. Those that were asked to move may still do so.
    ///
    /// False: no operator began one, or the process ends.
    pub(crate) fn take_drain_back(&self) -> bool {
        let is_serving = self.drain.take_back();
        if is_serving {
            self.metrics.draining.set(0.0);
            self.membership.said_anew.notify_one();
            self.log_drain("the drain is taken back");
        }
        is_serving
    }
}
