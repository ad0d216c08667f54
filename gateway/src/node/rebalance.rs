//! A node that has far more connections than the others gives some to them: after a scale-out or a failover, new nodes
//! would stay empty until clients reconnect by themselves.

use std::sync::Arc;
use std::time::Duration;

use router_core::membership::{IsolationState, balance};
use tokio::time::{MissedTickBehavior, interval};

use super::core::Node;
use super::drain::ConnectionMover;
use super::vital::VitalTask;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);
/// What `migrate` gives as the reason.
const MOVE_REASON: &str = "rebalance";

impl Node {
    /// Gives connections to nodes that have fewer, for as long as the node lives.
    pub(crate) async fn rebalance(self: Arc<Self>) {
        let _vital = VitalTask::new(&self.failed);
        let mut mover = ConnectionMover::new(&self, MOVE_REASON);
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            mover.settle_now();
            let given = self.given_connections();
            if given > 0 {
                mover.ask_some(given as usize);
            } else if mover.is_idle() {
                mover = ConnectionMover::new(&self, MOVE_REASON);
            }
        }
    }

    /// How many connections the node gives now.
    fn given_connections(&self) -> u64 {
        let view = self.view();
        if view.degraded || self.is_draining() || self.isolation() != IsolationState::Staying {
            return 0;
        }
        let others = view.takers().map(|hello| hello.connections);
        balance::given_per_second(self.connections() as u64, others)
    }
}
