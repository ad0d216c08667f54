//! The one reply that a call waits for: a whole message, or the parts of one. The call receives neither
//! other messages nor repeated ones, so their senders do not get `delivered`.

use std::collections::BTreeSet;

use protocol::envelope::Envelope;
use protocol::{ConnectionId, MessageId, Name};

/// What makes a message the reply to another one.
#[derive(Debug)]
pub(in crate::tenant) struct ReplyWaiter {
    /// The message.
    message_id: MessageId,
    /// Whom it was sent to: a bot, a client id or a connection.
    to: Name,
    queued: QueuedReply,
}

/// What is in the queue of the reply: one message, or the parts of one.
#[derive(Debug, Default)]
enum QueuedReply {
    #[default]
    Nothing,
    Parts {
        of: u64,
        have: BTreeSet<u64>,
    },
    All,
}

impl ReplyWaiter {
    /// The reply to a message that goes to `to`; nothing of it has come.
    pub fn new(message_id: MessageId, to: Name) -> Self {
        Self {
            message_id,
            to,
            queued: QueuedReply::Nothing,
        }
    }

    /// Whether a message is what is still missing of the reply, for a connection of that id.
    pub fn misses(&self, envelope: &Envelope, own: &ConnectionId) -> bool {
        let is_from_there =
            envelope.from == self.to || envelope.connection.as_str() == self.to.as_str();
        let is_reply = envelope.message.reply_to.as_ref() == Some(&self.message_id)
            || envelope.message.to.as_str() == own.as_str();
        is_from_there && is_reply && self.queued.misses(envelope.message.part)
    }

    /// Notes that a message which it missed is in the queue.
    pub fn note_queued(&mut self, part: Option<(u64, u64)>) {
        self.queued.note(part);
    }
}

impl QueuedReply {
    /// Whether a message, or this part of so many, is still missing.
    fn misses(&self, part: Option<(u64, u64)>) -> bool {
        match (self, part) {
            (QueuedReply::Nothing, _) => true,
            (QueuedReply::Parts { of, have }, Some((number, parts))) => {
                parts == *of && !have.contains(&number)
            }
            (QueuedReply::Parts { .. }, None) | (QueuedReply::All, _) => false,
        }
    }

    fn note(&mut self, part: Option<(u64, u64)>) {
        let Some((number, of)) = part else {
            *self = QueuedReply::All;
            return;
        };
        let mut have = match std::mem::take(self) {
            QueuedReply::Parts { have, .. } => have,
            QueuedReply::Nothing | QueuedReply::All => BTreeSet::new(),
        };
        have.insert(number);
        *self = match have.len() as u64 == of {
            true => QueuedReply::All,
            false => QueuedReply::Parts { of, have },
        };
    }
}
