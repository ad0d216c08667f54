//! Frames on their way out, and the words about them: class, verdict, end.

use bytes::{BufMut, Bytes, BytesMut};
use fastwebsockets::OpCode;
use protocol::CloseCode;
use smol_str::SmolStr;

use super::frame::{HEAD_BYTES_MAX, head_of};

/// Which stream of text a partial, or the message that ends it, belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKey {
    /// The sender.
    pub from: SmolStr,
    /// The sender's name for the stream.
    pub stream: SmolStr,
}

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

/// A frame on its way out.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) head: [u8; HEAD_BYTES_MAX],
    pub(super) head_bytes: usize,
    pub(super) payload: Bytes,
    pub(super) lane: Lane,
}

/// Where a frame waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Control,
    Data,
    Close,
}

impl Sending {
    pub(super) fn new(opcode: OpCode, payload: Bytes, lane: Lane) -> Self {
        let (head, head_bytes) = head_of(opcode, &payload);
        Self {
            head,
            head_bytes,
            payload,
            lane,
        }
    }

    /// Makes the Close frame that tells `why`.
    pub(super) fn close(why: Ended) -> Self {
        Self::new(OpCode::Close, close_payload(why), Lane::Close)
    }
}

fn close_payload(why: Ended) -> Bytes {
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
