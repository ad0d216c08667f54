//! One connection's place in the node: how its session is told what happens, and that everybody
//! releases it whichever way it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{CloseCode, TenantId};
use router_core::Session;
use router_core::session::{ReceivedMessage, SessionInput};

use super::core::Node;
use super::entry::ConnectionEntry;
use super::lock::lock;
use super::unpaid_frames::ReadTurn;
use super::work::DeferredWork;
use crate::ws::{Connection, ConnectionEnd, ReadFlow};

/// A connection that the node knows, for as long as this lives.
pub(super) struct NodeMember {
    pub(super) node: Arc<Node>,
    entry: Arc<ConnectionEntry>,
    work: DeferredWork,
}

impl NodeMember {
    pub(super) fn new(node: Arc<Node>, entry: Arc<ConnectionEntry>) -> Self {
        node.connections.insert(&entry);
        Self {
            node,
            entry,
            work: DeferredWork::default(),
        }
    }

    /// What is written to it.
    pub(super) fn socket(&self) -> &Arc<Connection> {
        &self.entry.socket
    }

    /// Its tenant, once it has one.
    pub(super) fn tenant(&self) -> Option<&TenantId> {
        self.entry.owner.get().map(|owner| owner.tenant())
    }

    /// Counts a message that it sent, and hands its session what that asks; says how to go on.
    pub(super) fn received(&mut self, text: &Bytes) -> ReadFlow {
        let Self { node, entry, work } = self;
        work.traffic.received(text.len());
        let (mut flow, mut bytes) = (ReadFlow::Continue, text.len());
        entry.dialect.decode(text, |frame| {
            // All requests of a message together are charged for its bytes.
            let bytes = std::mem::take(&mut bytes);
            flow = flow.and(asked(node, entry, work, ReceivedMessage { bytes, frame }));
        });
        flow
    }

    /// Tells its session; says how to go on. What it sets in motion is done by the next
    /// [`finish`](Self::finish).
    pub(super) fn input(&mut self, input: SessionInput) -> ReadFlow {
        told(&self.node, &self.entry, &mut self.work, input)
    }

    /// Tells its tenant that it can take presence again.
    pub(super) fn room(&mut self) {
        self.node.room(&self.entry, &mut self.work);
    }

    /// Does what may be done only when no lock is held.
    pub(super) fn finish(&mut self) {
        self.node.finish(&mut self.work);
    }

    /// Asks its session something that changes nothing.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Session) -> T) -> T {
        question(&lock(&self.entry.session))
    }

    /// Says in the access log that it is gone.
    pub(super) fn log_disconnected(&self, why: ConnectionEnd, lasted: Duration) {
        self.node.log_disconnected(&self.entry, why, lasted);
    }

    /// Its tenant releases it; more than once is as once.
    pub(super) fn leave(&mut self) {
        self.input(SessionInput::Gone);
        self.finish();
    }
}

/// Also by a panic or an abort.
impl Drop for NodeMember {
    fn drop(&mut self) {
        self.leave();
        self.node.connections.remove(self.entry.key);
    }
}

/// Hands a session one request; says how to go on.
fn asked(
    node: &Node,
    entry: &Arc<ConnectionEntry>,
    work: &mut DeferredWork,
    received: ReceivedMessage,
) -> ReadFlow {
    let bytes = received.bytes;
    work.is_unpaid = false;
    let flow = told(node, entry, work, SessionInput::Received(received));
    if flow != ReadFlow::Continue || !work.is_unpaid {
        return flow;
    }
    // Before it has a tenant it may send little, and is closed soon.
    let Some(owner) = entry.owner.get() else {
        return flow;
    };
    match owner.share.unpaid_frames.charge(bytes, node.uptime_ms()) {
        ReadTurn::Now => flow,
        ReadTurn::In(wait) => ReadFlow::Wait(wait),
        ReadTurn::TooLate => ReadFlow::Close(CloseCode::TooManyRefusals),
    }
}

fn told(
    node: &Node,
    entry: &Arc<ConnectionEntry>,
    work: &mut DeferredWork,
    input: SessionInput,
) -> ReadFlow {
    match node.input(entry, input, work) {
        true => ReadFlow::Pause,
        false => ReadFlow::Continue,
    }
}
