//! The two ends of a lane.

use protocol::lane::{LaneAck, Packet};
use router_core::Millis;
use router_core::lane::{Receiver, Sender};

use crate::agenda::LanePublish;

/// The two ends.
pub(super) struct Lane {
    /// Unlike any other of this process, so that an answer to a PUBLISH finds it.
    pub(super) number: u64,
    pub sender: Sender,
    pub(super) receiver: Receiver,
    /// The newest ack that is due; it says all that an older one would.
    pub(super) ack: Option<LaneAck>,
    /// A bare ack is unanswered.
    pub(super) telling: bool,
}

impl Lane {
    /// What to publish now: a batch, with the ack that is due; or a bare ack, one at a time.
    pub(super) fn next(&mut self, now_ms: Millis) -> Option<(Packet, LanePublish)> {
        let data = self.sender.take(now_ms);
        let is_data = data.is_some();
        let carried = is_data || !self.telling;
        let ack = carried.then(|| self.ack.take()).flatten();
        if !is_data && ack.is_none() {
            return None;
        }
        self.telling |= !is_data;
        let lane = self.number;
        Some((self.sender.packet(data, ack), LanePublish { lane, is_data }))
    }
}
