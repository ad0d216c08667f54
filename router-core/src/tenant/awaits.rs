//! The one reply that a wait over HTTP is for: a whole message, or the parts of one. What else comes,
//! and what comes again, it does not hear, and so nobody is told that it was delivered.

use std::collections::BTreeSet;

use protocol::envelope::Envelope;
use protocol::{ConnectionId, MessageId, Name};

/// What makes a message the reply to another one.
#[derive(Debug)]
pub(super) struct Awaits {
    /// The message.
    message_id: MessageId,
    /// Whom it was sent to: a bot, a client id or a connection.
    to: Name,
    heard: Heard,
}

/// What a wait has heard of its reply: one message, or the parts of one.
#[derive(Debug, Default)]
enum Heard {
    #[default]
    Nothing,
    Parts {
        of: u64,
        have: BTreeSet<u64>,
    },
    All,
}

impl Awaits {
    /// The reply to a message that goes to `to`; nothing of it has been heard.
    pub fn new(message_id: MessageId, to: Name) -> Self {
        Self {
            message_id,
            to,
            heard: Heard::Nothing,
        }
    }

    /// Whether a message is what is still missing of the reply, for a connection of that id.
    pub fn is_met_by(&self, envelope: &Envelope, own: &ConnectionId) -> bool {
        let is_from_there =
            envelope.from == self.to || envelope.connection.as_str() == self.to.as_str();
        let is_reply = envelope.message.reply_to.as_ref() == Some(&self.message_id)
            || envelope.message.to.as_str() == own.as_str();
        is_from_there && is_reply && self.heard.misses(envelope.message.part)
    }

    /// Notes that a message which met it is in the queue.
    pub fn hear(&mut self, part: Option<(u64, u64)>) {
        self.heard.hear(part);
    }
}

impl Heard {
    /// Whether a message, or this part of so many, is still missing.
    fn misses(&self, part: Option<(u64, u64)>) -> bool {
        match (self, part) {
            (Heard::Nothing, _) => true,
            (Heard::Parts { of, have }, Some((number, parts))) => {
                parts == *of && !have.contains(&number)
            }
            (Heard::Parts { .. }, None) | (Heard::All, _) => false,
        }
    }

    fn hear(&mut self, part: Option<(u64, u64)>) {
        let Some((number, of)) = part else {
            *self = Heard::All;
            return;
        };
        let mut have = match std::mem::take(self) {
            Heard::Parts { have, .. } => have,
            Heard::Nothing | Heard::All => BTreeSet::new(),
        };
        have.insert(number);
        *self = match have.len() as u64 == of {
            true => Heard::All,
            false => Heard::Parts { of, have },
        };
    }
}
