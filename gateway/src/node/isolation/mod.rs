//! A node that alone cannot reach Redis gives its connections to the others.
//!
//! While it is degraded it asks the other nodes, by datagrams beside Redis, whether theirs answers. The pure
//! [`IsolationWatch`](router_core::membership::IsolationWatch) decides; here are the datagrams and what follows: the node is not ready, and its sockets are asked
//! to move until the store answers again.
//!
//! | file | does |
//! | --- | --- |
//! | `state.rs` | keeps the state |
//! | `datagrams.rs` | sends and takes the datagrams |

mod datagrams;
mod state;

use std::sync::Arc;
use std::time::Duration;

use router_core::membership::IsolationState;
use tokio::time::sleep;

use super::core::Node;
use super::drain::ConnectionMover;
use super::lock::lock;
use super::vital::VitalTask;

pub(crate) use datagrams::PeerDatagrams;
pub(super) use state::NodeIsolation;

/// Between two looks.
const TICK: Duration = Duration::from_millis(250);
/// What `migrate` gives as the reason.
const MOVE_REASON: &str = "isolated";

impl Node {
    /// Whether this node alone is cut off from Redis.
    pub(crate) fn isolation(&self) -> IsolationState {
        self.isolation.state()
    }

    /// Watches whether this node is cut off, and answers others that are, for as long as the node lives.
    pub(crate) async fn guard_isolation(self: Arc<Self>, socket: PeerDatagrams) {
        let _vital = VitalTask::new(&self.failed);
        let socket = Arc::new(socket);
        let answering = Arc::clone(&self).answer_peers(Arc::clone(&socket));
        tokio::join!(answering, self.watch_isolation(&socket), self.give_up());
    }

    async fn watch_isolation(&self, socket: &PeerDatagrams) {
        let after_ms = self.isolation.after.as_millis() as u64;
        loop {
            let view = self.membership.whole_view();
            let (state, asked) = {
                let mut watch = lock(&self.isolation.watch);
                let asked = watch.look(self.now_ms(), &view, after_ms);
                (watch.state(), asked)
            };
            self.note_isolation(state);
            for boot in asked {
                self.ask_peer(socket, &view, boot).await;
            }
            sleep(TICK).await;
        }
    }

    fn note_isolation(&self, state: IsolationState) {
        if self.isolation.replace(state) == state {
            return;
        }
        let is_isolated = state != IsolationState::Staying;
        self.metrics
            .cluster
            .isolated
            .set(f64::from(u8::from(is_isolated)));
        match state {
            IsolationState::CutOff => tracing::warn!(
                "only this node cannot reach the store: it is not ready, and its sockets move to other nodes"
            ),
            IsolationState::Overdue => tracing::warn!(
                "this node has not reached the store for isolate_after, and no other node answers: its sockets move \
                 to other nodes, slowly"
            ),
            IsolationState::Staying => tracing::info!("this node keeps its sockets again"),
        }
    }

    /// Moves the sockets while the node is isolated.
    async fn give_up(&self) {
        loop {
            let state = self.isolation.state();
            match state.window_ms() {
                Some(window_ms) if !self.is_draining() => {
                    let mut mover = ConnectionMover::new(self, MOVE_REASON);
                    let window = Duration::from_millis(window_ms);
                    // Sockets that come meanwhile are asked in a window of their own: they may come back for as long as all
                    // nodes are degraded.
                    let moving = mover.move_present(window);
                    tokio::select! {
                        () = moving => {}
                        () = self.is_no_longer(state) => {}
                    }
                }
                Some(_) | None => {}
            }
            sleep(TICK).await;
        }
    }

    /// Returns when the state is another one, or the node drains.
    async fn is_no_longer(&self, state: IsolationState) {
        while self.isolation.state() == state && !self.is_draining() {
            sleep(TICK).await;
        }
    }
}
