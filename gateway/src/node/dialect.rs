//! The T2B dialect of one connection: messages become session inputs.

use std::sync::Arc;

use protocol::CloseCode;
use router_core::session::{Input, Opened};

use super::{Entry, Node, Work, lock};
use crate::ws::{Connection, Dialect, Ended, Flow, Message};

/// What is spoken on `/ws`.
pub(crate) struct T2b {
    node: Arc<Node>,
    entry: Arc<Entry>,
    opened: Option<Opened>,
    work: Work,
}

impl T2b {
    pub(super) fn new(node: Arc<Node>, entry: Arc<Entry>, opened: Opened) -> Self {
        Self {
            node,
            entry,
            opened: Some(opened),
            work: Work::default(),
        }
    }

    /// The connection that it speaks on.
    pub(crate) fn socket(&self) -> Arc<Connection> {
        Arc::clone(&self.entry.socket)
    }

    /// Its tenant lets go of it; more than once is as once.
    fn leave(&mut self) {
        self.node.input(&self.entry, Input::Gone, &mut self.work);
        self.node.finish(&mut self.work);
    }

    fn input(&mut self, input: Input) -> Flow {
        let waits = self.node.input(&self.entry, input, &mut self.work);
        if waits { Flow::Pause } else { Flow::Continue }
    }
}

impl Dialect for T2b {
    fn on_open(&mut self) -> Flow {
        let opened = self.opened.take().unwrap_or_default();
        self.input(Input::Opened(opened))
    }

    fn on_message(&mut self, message: Message) -> Flow {
        match message {
            Message::Text(text) => {
                self.node.metrics.frames.increment(1);
                self.node
                    .metrics
                    .received_bytes
                    .increment(text.len() as u64);
                self.input(Input::Text(text))
            }
            Message::Ping(_) | Message::Pong(_) => self.input(Input::Alive),
            Message::Binary(_) => Flow::Close(CloseCode::Unsupported),
            Message::Close(_) => Flow::Continue,
        }
    }

    fn on_idle(&mut self) {
        self.node.finish(&mut self.work);
    }

    fn on_end(&mut self, why: Ended) {
        match why {
            Ended::Us(code) => self.node.metrics.closed(code),
            Ended::Peer(_) => self.node.metrics.closed_by_peer.increment(1),
            Ended::Lost => self.node.metrics.lost.increment(1),
        }
        // Now, not after the closing handshake: a bot that comes back at once takes nothing over.
        self.leave();
    }
}

/// Whichever way the connection ends, also by a panic or an abort, its tenant lets go of it.
impl Drop for T2b {
    fn drop(&mut self) {
        self.leave();
        lock(self.node.slot(self.entry.key)).remove(&self.entry.key);
        self.node.metrics.connections.decrement(1.0);
        self.node
            .metrics
            .controls_ignored
            .increment(self.entry.socket.controls_ignored());
    }
}
