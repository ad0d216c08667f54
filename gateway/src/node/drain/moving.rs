//! Connections are asked to move to other nodes, at a pace; those that stay are closed.
//!
//! ```text
//!  asked, at the pace ──▶ moves within a second ──▶ moved
//!                    └──▶ is still here after MOVE_WAIT ──▶ closed with 1012
//! ```

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::CloseCode;
use protocol::connect::Migrate;
use router_core::pace::MovePace;
use router_core::session::SessionInput;
use router_core::{ConnKey, Millis};
use tokio::time::{Instant, sleep};

use crate::dialect::Dialect;
use crate::metrics::MoveOutcome;
use crate::node::core::Node;
use crate::node::entry::ConnectionEntry;
use crate::node::work::DeferredWork;

/// Within how many milliseconds a client connects anew after it was asked, at a random time. The pace spreads them
/// already; this keeps clients that were asked in one tick apart.
const MOVE_WITHIN_MS: u64 = 1000;
/// How long a connection may stay after it was asked to move: that second, a handshake that is slow, and the answers
/// to what it has sent.
pub(super) const MOVE_WAIT: Duration = Duration::from_secs(5);
/// Longest wait for the closing handshakes of those that were closed.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// Between two looks at who is due.
const TICK: Duration = Duration::from_millis(20);
/// Between two lines about how far it is.
const LOG_PERIOD: Duration = Duration::from_secs(5);

/// Asks connections to move, and closes those that stay.
pub(in crate::node) struct ConnectionMover<'a> {
    node: &'a Node,
    reason: &'static str,
    /// Everybody who was asked.
    asked: HashSet<ConnKey>,
    /// Who was asked and has time left, in the order of asking, and until when.
    moving: VecDeque<(Millis, Arc<ConnectionEntry>)>,
    logged: Instant,
}

impl<'a> ConnectionMover<'a> {
    /// Nobody is asked yet. `reason`: what `migrate` tells them.
    pub(in crate::node) fn new(node: &'a Node, reason: &'static str) -> Self {
        Self {
            node,
            reason,
            asked: HashSet::new(),
            moving: VecDeque::new(),
            logged: Instant::now(),
        }
    }

    /// Moves every socket of the node, those too that open meanwhile. `window`: over which time they are asked, if
    /// others can take them so fast. The last one has [`MOVE_WAIT`] after that.
    pub(super) async fn move_all(&mut self, mut window: Duration) {
        while self.ask_present(window).await {
            window = Duration::ZERO;
        }
        self.settle_all().await;
        // The last ones have to answer the Close frame.
        let deadline = Instant::now() + CLOSE_WAIT;
        while self.node.has_sockets() && Instant::now() < deadline {
            sleep(TICK).await;
        }
    }

    /// Moves every socket that the node has now. `window`: as for [`move_all`](Self::move_all).
    pub(in crate::node) async fn move_present(&mut self, window: Duration) {
        self.ask_present(window).await;
        self.settle_all().await;
    }

    /// Waits until everybody who was asked is gone or closed.
    async fn settle_all(&mut self) {
        while !self.moving.is_empty() && self.node.has_sockets() {
            self.pass_time().await;
        }
        self.settle(Millis::MAX);
    }

    /// Asks this many sockets that were not asked yet.
    pub(in crate::node) fn ask_some(&mut self, count: usize) {
        for entry in self.not_asked().into_iter().take(count) {
            self.ask(entry);
        }
    }

    /// Closes who is still here although its time is over.
    pub(in crate::node) fn settle_now(&mut self) {
        self.settle(self.node.now_ms());
    }

    /// Whether nobody is moving.
    pub(in crate::node) fn is_idle(&self) -> bool {
        self.moving.is_empty()
    }

    /// The sockets that were not asked yet, in random order: those of one tenant shall not all move at once.
    fn not_asked(&self) -> Vec<Arc<ConnectionEntry>> {
        let mut sockets = Vec::new();
        self.node.connections.for_each(|entry| {
            if is_socket(entry) && !self.asked.contains(&entry.key) {
                sockets.push(Arc::clone(entry));
            }
        });
        fastrand::shuffle(&mut sockets);
        sockets
    }

    /// Asks those that were not asked yet. False: there are none.
    async fn ask_present(&mut self, window: Duration) -> bool {
        let sockets = self.not_asked();
        if sockets.is_empty() {
            return false;
        }
        let others = self.node.view().takers().count();
        let window_ms = window.as_millis() as Millis;
        let pace = MovePace::over(self.node.now_ms(), sockets.len(), window_ms, others);
        let mut sockets = sockets.into_iter();
        let mut asked = 0;
        while sockets.len() > 0 {
            let due = pace.due(self.node.now_ms());
            for entry in sockets.by_ref().take((due - asked) as usize) {
                self.ask(entry);
            }
            asked = due;
            self.pass_time().await;
        }
        true
    }

    /// Asks a connection to move.
    pub(super) fn ask(&mut self, entry: Arc<ConnectionEntry>) {
        self.asked.insert(entry.key);
        if !self.node.connections.contains(entry.key) {
            return;
        }
        let mut work = DeferredWork::default();
        let migrate = Migrate {
            reason: self.reason.to_owned(),
            reconnect_within_ms: MOVE_WITHIN_MS,
        };
        let input = SessionInput::Moving(migrate);
        self.node.input(&entry, input, &mut work);
        self.node.finish(&mut work);
        self.count(MoveOutcome::Asked);
        let until_ms = self.node.now_ms() + MOVE_WAIT.as_millis() as Millis;
        self.moving.push_back((until_ms, entry));
    }

    async fn pass_time(&mut self) {
        sleep(TICK).await;
        self.settle(self.node.now_ms());
        if self.logged.elapsed() >= LOG_PERIOD {
            self.logged = Instant::now();
            self.node.log_drain("connections move");
        }
    }

    /// Closes who is still here although its time is over.
    fn settle(&mut self, now_ms: Millis) {
        while let Some((until_ms, _)) = self.moving.front()
            && *until_ms <= now_ms
            && let Some((_, entry)) = self.moving.pop_front()
        {
            if self.node.connections.contains(entry.key) {
                entry.socket.close(CloseCode::Restart);
                entry.socket.flush();
                self.count(MoveOutcome::Closed);
            } else {
                self.count(MoveOutcome::Moved);
            }
        }
    }

    fn count(&self, outcome: MoveOutcome) {
        self.node.drain.moves.count(outcome);
        self.node.metrics.moves.count(outcome);
    }
}

fn is_socket(entry: &ConnectionEntry) -> bool {
    !matches!(entry.dialect, Dialect::Http)
}

impl Node {
    /// Whether a socket is left.
    fn has_sockets(&self) -> bool {
        let mut has = false;
        self.connections.for_each(|entry| has |= is_socket(entry));
        has
    }
}
