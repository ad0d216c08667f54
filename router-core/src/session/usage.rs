//! What the tenant's meters are told of the frames that a session answers itself.
//!
//! A frame that becomes a request of the tenant carries its length along, and the tenant counts it.

use protocol::RefusalClass;
use protocol::message::SendKind;
use protocol::request::ClientRequest;

use super::Session;
use super::phase::SessionPhase;
use crate::request::FrameUsage;

/// A frame that is being handled, as far as the tenant does not know of it.
#[derive(Debug, Default)]
pub(super) struct AnsweredFrame {
    /// Bytes of the frame; 0 once the tenant has it.
    bytes: u32,
    /// Whether the frame is a message.
    is_message: bool,
    /// Present if it was refused.
    refused: Option<RefusalClass>,
}

impl AnsweredFrame {
    /// A frame came.
    pub fn begin(&mut self, bytes: usize) {
        self.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// It asks this.
    pub fn note_request(&mut self, request: &ClientRequest) {
        let ClientRequest::Send(send) = request else {
            return;
        };
        self.is_message = send.message.kind == SendKind::Message;
    }

    /// It was refused.
    pub fn note_refusal(&mut self, class: RefusalClass) {
        self.refused = Some(class);
    }

    /// The tenant gets it, and counts so many bytes.
    pub fn hand_over(&mut self) -> u32 {
        std::mem::take(&mut self.bytes)
    }
}

impl Session {
    /// What its tenant must count of the last input, of which `bytes_out` bytes of answers are in the queue;
    /// `None`: nothing, or it belongs to no tenant yet.
    pub(crate) fn take_usage(&mut self, bytes_out: u64) -> Option<FrameUsage> {
        let frame = std::mem::take(&mut self.usage);
        let refused_message = frame.refused.filter(|_| frame.is_message);
        if frame.bytes == 0 && bytes_out == 0 && refused_message.is_none() {
            return None;
        }
        match &self.phase {
            SessionPhase::Open(open) | SessionPhase::Closed(Some(open)) => Some(FrameUsage {
                tenant: open.grant.tenant().clone(),
                bytes_in: frame.bytes,
                bytes_out,
                refused_message,
            }),
            SessionPhase::Opening { .. }
            | SessionPhase::Waiting { .. }
            | SessionPhase::Closed(None) => None,
        }
    }
}
