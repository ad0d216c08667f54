//! Frames on their way out, and the words about them: class, verdict, end.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use fastwebsockets::OpCode;
use protocol::CloseCode;

/// Which stream of text a partial, or the message that ends it, belongs to: any text that is its own.
pub type StreamKey = Arc<str>;

/// What a frame is, as far as its place in the queue depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// An answer to the peer's own request.
    Answer,
    /// A message; it ends the stream it names: a partial of that stream which waits is dropped.
    Message(Option<StreamKey>),
    /// A stand-in for the message to come; a newer one takes the place of one that waits.
    Partial(StreamKey),
    /// News of bots.
    Presence,
}

/// One finished frame; its payload is shared by all who receive it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub(super) opcode: OpCode,
    pub(super) payload: Bytes,
    pub(super) class: Class,
}

impl Outgoing {
    /// Makes a text frame; `payload` is UTF-8 in an allocation of its own size.
    pub fn text(payload: Bytes, class: Class) -> Self {
        Self {
            opcode: OpCode::Text,
            payload,
            class,
        }
    }

    /// Makes a binary frame.
    pub fn binary(payload: Bytes, class: Class) -> Self {
        Self {
            opcode: OpCode::Binary,
            payload,
            class,
        }
    }

    pub(super) fn is_partial(&self) -> bool {
        matches!(self.class, Class::Partial(_))
    }
}

/// What became of a frame that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Push {
    /// It waits, and will be written unless the connection breaks.
    Queued,
    /// There is no room: for this connection, its tenant or the node.
    Full,
    /// The connection is closing or gone.
    Gone,
}

/// Why a connection ended, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// We closed it.
    Us(CloseCode),
    /// The peer closed it, with this code if it gave one.
    Peer(Option<u16>),
    /// The stream broke off without a Close frame.
    Lost,
}

/// What leaves a queue at once: control frames, then data, then the Close frame.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) control: VecDeque<(OpCode, Bytes)>,
    pub(super) data: VecDeque<Outgoing>,
    pub(super) close: Option<Ended>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.data.is_empty() && self.close.is_none()
    }
}

/// The payload of the Close frame that tells `why`.
pub(super) fn close_payload(why: Ended) -> Bytes {
    let (code, reason) = match why {
        Ended::Us(close) => (close.code(), close.reason()),
        Ended::Peer(Some(code)) => (code, ""),
        Ended::Peer(None) | Ended::Lost => return Bytes::new(),
    };
    let mut payload = BytesMut::with_capacity(2 + reason.len());
    payload.put_u16(code);
    payload.put_slice(reason.as_bytes());
    payload.freeze()
}
