//! One socket of a process.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::CloseCode;
use protocol::limits::SLOW_CONSUMER_MS;
use router_core::Millis;
use router_core::session::Session;

use crate::agenda::PeerManner;
use crate::checks::HeardFrame;
use crate::said::SaidRecord;

/// One socket.
pub struct MachineSocket {
    pub session: Session,
    pub peer: usize,
    pub(super) manner: PeerManner,
    /// Frames that the session has not taken.
    pub(super) inbox: VecDeque<(Bytes, SaidRecord)>,
    /// Frames that the peer has not read.
    pub(super) queue: VecDeque<HeardFrame>,
    pub(super) reading: bool,
    /// Since when its queue is full, on the process's clock.
    pub(super) full_since_ms: Option<Millis>,
    /// Whether it refused a delivery: its tenant is told when it has room.
    pub(super) wants_room: bool,
    pub closed: Option<CloseCode>,
}

impl MachineSocket {
    /// On the process's clock.
    pub fn next_wakeup(&self, heartbeat_ms: Millis) -> Option<Millis> {
        if self.closed.is_some() {
            return None;
        }
        let full_ms = self.full_since_ms.map(|at_ms| at_ms + SLOW_CONSUMER_MS);
        let session_ms = self.session.next_wakeup(heartbeat_ms);
        [full_ms, session_ms].into_iter().flatten().min()
    }
}
