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
pub enum QueueClass {
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
pub struct OutgoingFrame {
    pub(super) opcode: OpCode,
    pub(super) payload: FramePayload,
    pub(super) class: QueueClass,
}

/// What a frame carries.
#[derive(Debug, Clone)]
pub(super) enum FramePayload {
    /// What is written to a socket.
    Bytes(Bytes),
    /// What a [`LocalConnection`](super::Local) connection is told, and what it is charged with, bytes.
    Outbound(Box<(Outbound, usize)>),
}

impl FramePayload {
    /// What it is charged with, bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            FramePayload::Bytes(bytes) => bytes.len(),
            FramePayload::Outbound(told) => told.1,
        }
    }

    /// What is written to a socket: what has none is told nothing there.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            FramePayload::Bytes(bytes) => bytes,
            FramePayload::Outbound(_) => &[],
        }
    }

    /// The same, to be kept.
    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            FramePayload::Bytes(bytes) => bytes,
            FramePayload::Outbound(_) => Bytes::new(),
        }
    }
}

impl OutgoingFrame {
    /// Makes a text frame; `payload` is UTF-8 in an allocation of its own size.
    pub fn text(payload: Bytes, class: QueueClass) -> Self {
        Self {
            opcode: OpCode::Text,
            payload: FramePayload::Bytes(payload),
            class,
        }
    }

    /// Makes what a connection without a socket is told. `bytes`: what it is charged with.
    pub fn outbound(outbound: Outbound, bytes: usize, class: QueueClass) -> Self {
        Self {
            opcode: OpCode::Text,
            payload: FramePayload::Outbound(Box::new((outbound, bytes))),
            class,
        }
    }

    /// Makes a binary frame.
    pub fn binary(payload: Bytes, class: QueueClass) -> Self {
        Self {
            opcode: OpCode::Binary,
            payload: FramePayload::Bytes(payload),
            class,
        }
    }

    /// What a queue is charged for it, bytes.
    pub fn bytes(&self) -> usize {
        self.payload.len()
    }

    pub(super) fn is_partial(&self) -> bool {
        matches!(self.class, QueueClass::Partial(_))
    }
}

/// What became of a frame that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum PushOutcome {
    /// It waits, and will be written unless the connection breaks.
    Queued,
    /// There is no room: for this connection, its tenant or the node.
    Full,
    /// The connection is closing or gone.
    Gone,
}

/// Why a connection ended, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// We closed it.
    Us(CloseCode),
    /// The peer closed it, with this code if it gave one.
    Peer(Option<u16>),
    /// The stream broke off without a Close frame.
    Lost,
}

/// What leaves a queue at once: control frames, then data, then the Close frame.
#[derive(Debug, Default)]
pub(super) struct OutgoingBatch {
    pub(super) control: VecDeque<(OpCode, Bytes)>,
    pub(super) data: VecDeque<OutgoingFrame>,
    pub(super) close: Option<ConnectionEnd>,
}

impl OutgoingBatch {
    pub(super) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.data.is_empty() && self.close.is_none()
    }
}

/// The payload of the Close frame that tells `why`.
pub(super) fn close_payload(why: ConnectionEnd) -> Bytes {
    let (code, reason) = match why {
        ConnectionEnd::Us(close) => (close.code(), close.reason()),
        ConnectionEnd::Peer(Some(code)) => (code, ""),
        ConnectionEnd::Peer(None) | ConnectionEnd::Lost => return Bytes::new(),
    };
    let mut payload = BytesMut::with_capacity(2 + reason.len());
    payload.put_u16(code);
    payload.put_slice(reason.as_bytes());
    payload.freeze()
}
