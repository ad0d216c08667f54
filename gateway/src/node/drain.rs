//! The short form of going away: tell everybody, write what waits, close.

use std::sync::Arc;
use std::time::Duration;

use protocol::CloseCode;
use protocol::connect::Migrate;
use router_core::session::SessionInput;
use tokio::time::{Instant, sleep};

use super::core::Node;
use super::drain_state::PendingAnswer;
use super::entry::ConnectionEntry;
use super::work::DeferredWork;

/// Longest wait for queues to be read after `migrate`.
const FLUSH_WAIT: Duration = Duration::from_secs(2);
/// Longest wait for closing handshakes after that; together well within 5 s.
const CLOSE_WAIT: Duration = Duration::from_millis(2500);
/// Between two looks at what is left.
const POLL: Duration = Duration::from_millis(20);
/// Within how many milliseconds clients are asked to come back, each at a random time.
const RECONNECT_WITHIN_MS: u64 = 5000;

impl Node {
    /// From now on it is not ready and takes no new messages.
    pub(crate) fn begin_drain(&self) {
        self.drain.begin();
        self.metrics.draining.set(1.0);
    }

    /// Whether it is shutting down.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.has_begun()
    }

    /// Counts a request whose answer a drain waits for, until what this returns is dropped.
    pub(crate) fn answering(&self) -> PendingAnswer {
        self.drain.answering()
    }

    /// Ends every connection: `migrate`, the rest of its queue, 1012. At most 5 s.
    pub(crate) async fn drain(&self) {
        let mut work = DeferredWork::default();
        self.connections.for_each(|entry| {
            let reconnect_within_ms = RECONNECT_WITHIN_MS;
            let migrate = Migrate {
                reason: "restart".to_owned(),
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
}
