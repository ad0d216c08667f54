//! Going away: the sockets of the node move to others before it ends.
//!
//! ```text
//!  Serving ─▶ Announced ── drain_wait ──▶ Moving ── drain_window ──▶ Drained ─▶ Ending ─▶ the process ends
//!     ▲       not ready                   no new sockets            │
//!     └───────────────────── undrain ◀──────────────────────────────┘
//! ```
//!
//! An operator's drain stops at `Drained`, and can be taken back. A signal's drain goes on to the end. A node that is
//! alone goes from `Serving` to `Ending`: nobody could take its sockets.
//!
//! | file | does |
//! | --- | --- |
//! | `state.rs` | remembers the phase |
//! | `counts.rs` | counts the connections that move |
//! | `moving.rs` | asks connections to move, at a pace |
//! | `ending.rs` | closes what is left; waits for the lanes |
//! | `order.rs` | the drain that an operator begins and takes back |

mod counts;
mod ending;
mod moving;
mod order;
mod state;

use std::time::Duration;

use tokio::time::sleep;

use super::core::Node;
use crate::metrics::MoveOutcome;
use counts::MoveCounts;
pub(super) use moving::ConnectionMover;
use moving::MOVE_WAIT;

pub(super) use state::DrainState;
pub(crate) use state::{DrainPhase, PendingAnswer};

/// What `migrate` gives as the reason.
const MOVE_REASON: &str = "restart";

impl Node {
    /// How far the node is with going away.
    pub(crate) fn drain_phase(&self) -> DrainPhase {
        self.drain.phase()
    }

    /// Whether it goes away: then it is not ready.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain_phase() != DrainPhase::Serving
    }

    /// Counts a request whose answer a drain waits for, until what this returns is dropped.
    pub(crate) fn answering(&self) -> PendingAnswer {
        self.drain.answering()
    }

    /// How many connections drains have moved.
    pub(crate) fn moves(&self) -> &MoveCounts {
        &self.drain.moves
    }

    /// After which time the process ends in any case.
    pub(crate) fn drain_deadline(&self) -> Duration {
        self.drain.times().deadline
    }

    /// Goes away, to the end. `stop_accepting`: closes the public listener.
    ///
    /// It takes `drain_wait` + `drain_window` and up to 22 s, whatever the peers and the store do.
    pub(crate) async fn leave(&self, stop_accepting: impl FnOnce()) {
        self.drain.stop_ordered();
        self.log_drain("drain begins");
        if self.can_hand_over() {
            self.announce().await;
            stop_accepting();
            self.move_sockets().await;
        } else {
            stop_accepting();
        }
        self.reach(DrainPhase::Ending);
        self.end_connections().await;
        self.settle_lanes().await;
        self.book_rest().await;
        self.leave_cluster().await;
        self.log_drain("drain ended");
    }

    /// Whether another node can take its sockets.
    fn can_hand_over(&self) -> bool {
        let view = self.view();
        view.shared && view.takers().next().is_some()
    }

    /// Is not ready from now on. Returns when balancers know.
    async fn announce(&self) {
        if self.reach(DrainPhase::Announced) {
            sleep(self.drain.times().wait).await;
        }
    }

    /// Takes no new sockets, and moves those it has.
    async fn move_sockets(&self) {
        self.reach(DrainPhase::Moving);
        let mut mover = ConnectionMover::new(self, MOVE_REASON);
        // All are closed within the window, so the last one is asked before its end.
        let window = self.drain.times().window.saturating_sub(MOVE_WAIT);
        mover.move_all(window).await;
    }

    /// Goes on to a phase. False: it was there already.
    fn reach(&self, phase: DrainPhase) -> bool {
        let is_new = self.drain.reach(phase);
        if is_new {
            self.metrics.draining.set(1.0);
            self.membership.said_anew.notify_one();
        }
        is_new
    }

    fn log_drain(&self, event: &'static str) {
        let moves = self.moves();
        tracing::info!(
            phase = self.drain_phase().name(),
            connections = self.connections(),
            tenants = self.tenants(),
            other_nodes = self.view().others(),
            asked = moves.of(MoveOutcome::Asked),
            moved = moves.of(MoveOutcome::Moved),
            closed = moves.of(MoveOutcome::Closed),
            "{event}"
        );
    }
}
