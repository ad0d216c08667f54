//! The message family: what its sender asks, what is carried, and what becomes of it.

use std::ops::Range;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use ts_rs::TS;

use crate::ids::{MessageId, Name, StreamId};
use crate::json::walk_members;

/// Which member of the message family a [`Message`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendKind {
    /// Answered with `message_ack` or `error`.
    Message,
    /// Best effort; a newer one replaces a waiting one.
    MessagePartial,
    /// Best effort; lapses after 10 s.
    Typing,
}

impl SendKind {
    /// The frame's `type`.
    pub const fn wire_name(self) -> &'static str {
        match self {
            SendKind::Message => "message",
            SendKind::MessagePartial => "message_partial",
            SendKind::Typing => "typing",
        }
    }
}

/// A frame of the message family: what its sender asks, and what is to be carried.
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    /// The sender it wants to be: a bot it holds, or its own client id.
    pub from: Option<Name>,
    /// Whether the sender gave a `timestamp` of its own (then it is part of the body).
    pub timestamp_given: bool,
    /// Whether it asks to be stored.
    pub durable: bool,
    /// What is carried.
    pub message: Box<Message>,
}

/// What is carried from a sender to a recipient: who and what of it the gateway must know, and the
/// body. It stays where it was put when it was read, all the way to the recipient's queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Which frame it is.
    pub kind: SendKind,
    /// The recipient as the sender named it: a bot, a client id or a connection.
    pub to: Name,
    /// Its idempotency key, if its sender gave one; else, on its way, a ULID of the gateway. Absent
    /// from partials and typing on their way.
    pub message_id: Option<MessageId>,
    /// The stream that a partial belongs to, or that a message ends.
    pub stream_id: Option<StreamId>,
    /// The message that it answers; it stands in the body too.
    pub reply_to: Option<MessageId>,
    /// Which part of how many it is, if it is one: (1 to n, n); it stands in the body too.
    pub part: Option<(u64, u64)>,
    /// All of `data` but the reserved members, verbatim.
    pub body: Body,
}

/// The members of `data` that the gateway passes on verbatim, in their order.
///
/// Shape: `text` is the received `data` object (a slice of the read buffer, so a body must not
/// outlive the `handle` it came with unless [`Body::detach`]ed); `kept` are byte ranges of it, each a run of
/// members with the commas between them, without the reserved ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Body {
    text: Bytes,
    kept: SmallVec<[Range<u32>; 4]>,
}

impl Body {
    /// A body of the given runs of `text`.
    ///
    /// Every range must lie within `text` and not be empty; the codec makes them so.
    pub fn new(text: Bytes, kept: SmallVec<[Range<u32>; 4]>) -> Self {
        let within = |run: &Range<u32>| run.start < run.end && run.end as usize <= text.len();
        debug_assert!(kept.iter().all(within));
        Self { text, kept }
    }

    /// A body that is one run of members, as it arrives in an envelope.
    pub fn from_members(members: Bytes) -> Self {
        let run = 0..u32::try_from(members.len()).unwrap_or(u32::MAX);
        let kept = (!run.is_empty()).then_some(run).into_iter().collect();
        Self::new(members, kept)
    }

    /// The runs of members, in order; a comma belongs between two of them.
    pub fn runs(&self) -> impl Iterator<Item = &[u8]> {
        self.kept
            .iter()
            .map(|run| &self.text[run.start as usize..run.end as usize])
    }

    /// Calls `each` with every member: its key, unescaped, and the whole of it as it is written, from
    /// the key's quote to the end of the value.
    pub fn each_member(&self, mut each: impl FnMut(&[u8], &[u8])) {
        for run in self.runs() {
            // A run that is no JSON ends at its fault: the codec makes none.
            let _ = walk_members(run, |member| {
                // A key's span lies within its quotes.
                let (start, end) = (member.key.start as usize - 1, member.value.end as usize);
                each(&member.key(run), &run[start..end]);
            });
        }
    }

    /// Bytes of the members, the commas between the runs included.
    pub fn len(&self) -> usize {
        self.kept.iter().map(|run| run.len()).sum::<usize>() + self.kept.len().saturating_sub(1)
    }

    /// Whether `data` had only reserved members.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The same body in an allocation of exactly its size.
    pub fn detach(&self) -> Body {
        let mut members = Vec::with_capacity(self.len());
        self.write(&mut members);
        Body::from_members(Bytes::from(members))
    }

    /// Appends the runs with the commas between them: [`len`](Self::len) bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (i, run) in self.runs().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            out.extend_from_slice(run);
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "lowercase")]
pub enum AckStatus {
    /// In the queue of a live connection of the recipient.
    Delivered,
    /// Stored for the recipient (later).
    Queued,
    /// Its `messageId` was seen before; nothing was delivered now.
    Duplicate,
}

impl AckStatus {
    /// The word in `data.status`.
    pub const fn wire_name(self) -> &'static str {
        match self {
            AckStatus::Delivered => "delivered",
            AckStatus::Queued => "queued",
            AckStatus::Duplicate => "duplicate",
        }
    }
}
