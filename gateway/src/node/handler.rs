//! What a socket's messages and its end mean to the node.

use std::sync::Arc;
use std::time::Duration;

use protocol::CloseCode;
use router_core::session::{OpenedConnection, SessionInput};

use super::member::NodeMember;
use crate::metrics::Metrics;
use crate::ws::{Connection, ConnectionEnd, Message, ReadFlow, SocketHandler};

/// Hands what happens on a socket to its session.
pub(crate) struct SessionHandler {
    member: NodeMember,
    /// Until it begins.
    opened: Option<Box<OpenedConnection>>,
    since_ms: u64,
}

impl SessionHandler {
    pub(super) fn new(member: NodeMember, opened: OpenedConnection) -> Self {
        member.node.metrics.connections.increment(1.0);
        Self {
            since_ms: member.node.uptime_ms(),
            member,
            opened: Some(Box::new(opened)),
        }
    }

    /// Its connection.
    pub(crate) fn socket(&self) -> Arc<Connection> {
        Arc::clone(self.member.socket())
    }

    fn metrics(&self) -> &Metrics {
        &self.member.node.metrics
    }
}

impl SocketHandler for SessionHandler {
    fn on_open(&mut self) -> ReadFlow {
        let opened = self.opened.take().unwrap_or_default();
        self.member.input(SessionInput::Opened(*opened))
    }

    fn on_message(&mut self, message: Message) -> ReadFlow {
        match message {
            Message::Text(text) => self.member.received(&text),
            Message::Ping(_) | Message::Pong(_) => self.member.input(SessionInput::Alive),
            Message::Binary(_) => ReadFlow::Close(CloseCode::Unsupported),
            Message::Close(_) => ReadFlow::Continue,
        }
    }

    fn on_room(&mut self) {
        self.member.room();
    }

    fn is_unproven(&self) -> bool {
        self.member.ask(|session| session.member().is_none())
    }

    fn on_idle(&mut self) {
        self.member.finish();
    }

    fn on_end(&mut self, why: ConnectionEnd) {
        match why {
            ConnectionEnd::Us(code) => self.metrics().closed(code),
            ConnectionEnd::Peer(_) => self.metrics().closed_by_peer.increment(1),
            ConnectionEnd::Lost => self.metrics().lost.increment(1),
        }
        let lasted_ms = self.member.node.uptime_ms().saturating_sub(self.since_ms);
        self.member
            .log_disconnected(why, Duration::from_millis(lasted_ms));
        // Now, not after the closing handshake: a bot that comes back at once takes nothing over.
        self.member.leave();
    }
}

impl Drop for SessionHandler {
    fn drop(&mut self) {
        // Whoever sees the count fall finds its tenant without it.
        self.member.leave();
        let metrics = self.metrics();
        metrics.connections.decrement(1.0);
        let ignored = self.member.socket().controls_ignored();
        metrics.controls_ignored.increment(ignored);
    }
}
