//! Frames on their way out, and the words about them: class, verdict, end.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use fastwebsockets::OpCode;
use protocol::{CloseCode, Outbound};

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

/// One finished frame; its payload is shared by all who receive it. Or, for a connection without a
/// socket, what its peer is told.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub(super) opcode: OpCode,
    pub(super) payload: Payload,
    pub(super) class: Class,
}

/// What a frame carries.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    /// What is written to a socket.
    Bytes(Bytes),
    /// What a [`Local`](super::Local) connection is told, and what it is charged with, bytes.
    Outbound(Box<(Outbound, usize)>),
}

impl Payload {
    /// What it is charged with, bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Outbound(told) => told.1,
        }
    }

    /// What is written to a socket: what has none is told nothing there.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Payload::Bytes(bytes) => bytes,
            Payload::Outbound(_) => &[],
        }
    }

    /// The same, to be kept.
    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Payload::Bytes(bytes) => bytes,
            Payload::Outbound(_) => Bytes::new(),
        }
    }
}

impl Outgoing {
    /// Makes a text frame; `payload` is UTF-8 in an allocation of its own size.
    pub fn text(payload: Bytes, class: Class) -> Self {
        Self {
            opcode: OpCode::Text,
            payload: Payload::Bytes(payload),
            class,
        }
    }

    /// Makes what a connection without a socket is told. `bytes`: what it is charged with.
    pub fn outbound(outbound: Outbound, bytes: usize, class: Class) -> Self {
        Self {
            opcode: OpCode::Text,
            payload: Payload::Outbound(Box::new((outbound, bytes))),
            class,
        }
    }

    /// Makes a binary frame.
    pub fn binary(payload: Bytes, class: Class) -> Self {
        Self {
            opcode: OpCode::Binary,
            payload: Payload::Bytes(payload),
            class,
        }
    }

    /// What a queue is charged for it, bytes.
    pub fn bytes(&self) -> usize {
        self.payload.len()
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
