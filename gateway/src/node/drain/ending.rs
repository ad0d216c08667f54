//! The end of what is left: everybody is told, what waits is written, and all is closed.

use std::sync::Arc;
use std::time::Duration;

use protocol::CloseCode;
use protocol::connect::Migrate;
use router_core::session::SessionInput;
use tokio::time::{Instant, sleep};

use super::MOVE_REASON;
use crate::node::core::Node;
use crate::node::entry::ConnectionEntry;
use crate::node::work::DeferredWork;

/// Longest wait for queues to be read after `migrate`.
const FLUSH_WAIT: Duration = Duration::from_secs(2);
/// Longest wait for closing handshakes after that; together well within 5 s.
const CLOSE_WAIT: Duration = Duration::from_millis(2500);
/// Longest wait for the lanes: after that long without an acknowledgement, a lane gives up by itself.
const LANES_WAIT: Duration = Duration::from_millis(7500);
/// Between two looks at what is left.
const POLL: Duration = Duration::from_millis(20);
/// Within how many milliseconds clients are asked to come back, each at a random time.
const RECONNECT_WITHIN_MS: u64 = 5000;

impl Node {
    /// Ends every connection: `migrate`, the rest of its queue, 1012. At most 5 s.
    pub(super) async fn end_connections(&self) {
        let mut work = DeferredWork::default();
        self.connections.for_each(|entry| {
            let reconnect_within_ms = RECONNECT_WITHIN_MS;
            let migrate = Migrate {
                reason: MOVE_REASON.to_owned(),
                reconnect_within_ms,
            };
            self.input(entry, SessionInput::Draining(migrate), &mut work);
            self.finish(&mut work);
        });
        self.wait(FLUSH_WAIT, |entry| entry.socket.backlog().0 == 0)
            .await;
        self.close_all();
        self.wait(CLOSE_WAIT, |_| false).await;
    }

    /// Begins to close every connection that is not closing yet.
    pub(crate) fn close_all(&self) {
        self.connections.for_each(|entry| {
            entry.socket.close(CloseCode::Restart);
            entry.socket.flush();
        });
    }

    /// Waits until every connection that is left is done and every answer is written, or too long.
    async fn wait(&self, most: Duration, is_done: impl Fn(&Arc<ConnectionEntry>) -> bool) {
        let deadline = Instant::now() + most;
        while Instant::now() < deadline {
            let mut all_done = self.drain.has_answered_all();
            self.connections
                .for_each(|entry| all_done &= is_done(entry));
            if all_done {
                return;
            }
            sleep(POLL).await;
        }
    }

    /// Waits until the other nodes have decided about everything that was sent to them. At most 7.5 s.
    pub(super) async fn settle_lanes(&self) {
        let deadline = Instant::now() + LANES_WAIT;
        let owes = || {
            let lanes = self.lane_status();
            let mut lanes = lanes.iter().map(|(_, lane)| lane);
            lanes.any(|lane| lane.unacked_bytes > 0 || lane.waiting_bytes > 0)
        };
        while owes() && Instant::now() < deadline {
            sleep(POLL).await;
        }
    }
}
