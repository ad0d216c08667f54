//! What the tenant's meters are told of the frames that a session answers itself.
//!
//! A frame that becomes a request of the tenant carries its length along, and the tenant counts it.

use protocol::RefusalClass;
use protocol::message::SendKind;
use protocol::request::ClientRequest;

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

    /// Whether it is a message that was refused, and by whom it can be helped.
    pub fn refused_message(&self) -> Option<RefusalClass> {
        self.refused.filter(|_| self.is_message)
    }

    /// Bytes of the frame that the tenant does not know of.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// The tenant gets it, and counts so many bytes.
    pub fn hand_over(&mut self) -> u32 {
        std::mem::take(&mut self.bytes)
    }
}
