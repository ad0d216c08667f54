//! One connection's place in the node: how its session is told what happens, and that everybody
//! lets go of it whichever way it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{CloseCode, TenantId};
use router_core::Session;
use router_core::session::{Received, SessionInput};

use super::unpaid_frames::Turn;
use super::{Entry, Node, Work, lock};
use crate::ws::{Connection, Ended, Flow};

/// A connection that the node knows, for as long as this lives.
pub(super) struct Member {
    pub(super) node: Arc<Node>,
    entry: Arc<Entry>,
    work: Work,
}

impl Member {
    pub(super) fn new(node: Arc<Node>, entry: Arc<Entry>) -> Self {
        lock(node.slot(entry.key)).insert(entry.key, Arc::clone(&entry));
        Self {
            node,
            entry,
            work: Work::default(),
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
    pub(super) fn received(&mut self, text: &Bytes) -> Flow {
        self.work.traffic.received(text.len());
        let entry = Arc::clone(&self.entry);
        let (mut flow, mut bytes) = (Flow::Continue, text.len());
        entry.dialect.decode(text, |frame| {
            // All requests of a message together are charged for its bytes.
            let bytes = std::mem::take(&mut bytes);
            flow = flow.and(self.asked(Received { bytes, frame }));
        });
        flow
    }

    fn asked(&mut self, received: Received) -> Flow {
        let bytes = received.bytes;
        self.work.is_unpaid = false;
        let flow = self.input(SessionInput::Received(received));
        if flow != Flow::Continue || !self.work.is_unpaid {
            return flow;
        }
        // Before it has a tenant it may send little, and is closed soon.
        let Some(owner) = self.entry.owner.get() else {
            return flow;
        };
        let unpaid = &owner.share.unpaid_frames;
        match unpaid.charge(bytes, self.node.uptime_ms()) {
            Turn::Now => flow,
            Turn::In(wait) => Flow::Wait(wait),
            Turn::TooLate => Flow::Close(CloseCode::TooManyRefusals),
        }
    }

    /// Tells its session; says how to go on. What it sets in motion is done by the next
    /// [`finish`](Self::finish).
    pub(super) fn input(&mut self, input: SessionInput) -> Flow {
        match self.node.input(&self.entry, input, &mut self.work) {
            true => Flow::Pause,
            false => Flow::Continue,
        }
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
    pub(super) fn log_disconnected(&self, why: Ended, lasted: Duration) {
        self.node.log_disconnected(&self.entry, why, lasted);
    }

    /// Its tenant lets go of it; more than once is as once.
    pub(super) fn leave(&mut self) {
        self.input(SessionInput::Gone);
        self.finish();
    }
}

/// Also by a panic or an abort.
impl Drop for Member {
    fn drop(&mut self) {
        self.leave();
        lock(self.node.slot(self.entry.key)).remove(&self.entry.key);
    }
}
