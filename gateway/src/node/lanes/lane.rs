//! The two ends of the pipe to one other node.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use protocol::BootId;
use protocol::lane::Packet;
use router_core::lane::{ParcelOutcomes, Sender};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::ack_timer::AckTimer;
use super::due::DueAck;
use crate::node::lock::lock;

/// Both ends of the pipe to another node.
pub(in crate::node) struct Lane {
    pub(super) peer: BootId,
    pub(super) sender: Mutex<Sender>,
    pub(super) due: Mutex<DueAck>,
    pub(super) ack_timer: Mutex<AckTimer>,
    pub(super) work: Notify,
    pub(super) packets: mpsc::Sender<Packet>,
    pub(super) ended: CancellationToken,
    /// Whether the node at the other end cannot understand this one. Changed under the sender's lock:
    /// what goes in behind it would wait for its deadline.
    pub(super) closed: AtomicBool,
}

impl Lane {
    /// Nothing goes in any more, and what is in fails.
    pub(super) fn end(&self) -> ParcelOutcomes {
        self.ended.cancel();
        let mut outcomes = Vec::new();
        lock(&self.sender).fail(&mut outcomes);
        outcomes
    }
}
