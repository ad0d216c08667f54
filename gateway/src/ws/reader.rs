//! From bytes to messages: frames checked, unmasked and assembled within limits.
//!
//! Parsing and reading are two steps: [`FrameReader::parse`] takes the next message out of what has
//! arrived and never waits; [`FrameReader::poll_fill`] reads once and keeps nothing outside the reader,
//! so it may be dropped and called again at any time. While a connection is idle the reader holds no
//! buffer at all.
//!
//! The heads are parsed here and not by `fastwebsockets::WebSocketRead`: that one reserves what a
//! peer declares before a byte of it arrives, keeps its 8 KiB (or one large message's) buffer for
//! ever, hides the mask bit, and loses bytes when its future is dropped. Opcodes, masks and the
//! heads we write are fastwebsockets'.

use std::io;
use std::mem::MaybeUninit;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use fastwebsockets::{OpCode, unmask};
use protocol::CloseCode;
use protocol::limits::FRAGMENT_OVERHEAD_BYTES;
use tokio::io::ReadBuf;

use super::budget::{Budget, BudgetCharge};
use super::frame::FrameHead;
use super::message::{Message, PartialMessage, close_of, whole};
use super::stream::ReadHalf;
use crate::socket_options::UNREAD_BYTES_MAX;

/// Room made for one read, bytes: about 30 chat frames, so that they are answered in one write.
const READ_BYTES: usize = 8 * 1024;

/// How much a peer may send in one message, and who pays while it is incomplete.
#[derive(Debug, Clone)]
pub struct ReadLimits {
    /// Largest message, fragments summed, bytes; one of exactly this size is accepted.
    ///
    /// It may come in `message_bytes / 64` fragments (8 KiB: 128; 256 KiB: 4,096).
    pub message_bytes: usize,
    /// Charged with the bytes of a message that has not arrived as a whole; refused: 1013.
    pub assembly: Budget,
}

/// Where the peer's side of the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadState {
    /// Messages may come.
    Open,
    /// A Close came, or something forbidden: what follows is read and thrown away.
    Over,
    /// The stream has ended.
    Ended,
}

/// The reading side of one connection.
pub struct FrameReader {
    stream: ReadHalf,
    buffer: BytesMut,
    head: Option<FrameHead>,
    partial: Option<PartialMessage>,
    message_bytes: usize,
    held: BudgetCharge,
    input: ReadState,
}

impl FrameReader {
    /// Reads from `stream`, beginning with `buffered`, what the upgrade had already read.
    pub fn new(stream: ReadHalf, buffered: &[u8], limits: ReadLimits) -> Self {
        Self {
            stream,
            buffer: BytesMut::from(buffered),
            head: None,
            partial: None,
            message_bytes: limits.message_bytes,
            held: BudgetCharge::new(limits.assembly),
            input: ReadState::Open,
        }
    }

    /// Changes the limits; a message under way is judged by the new ones from its next frame on.
    pub(super) fn set_limits(&mut self, limits: ReadLimits) {
        self.message_bytes = limits.message_bytes;
        self.held = BudgetCharge::new(limits.assembly);
    }

    pub(super) fn input(&self) -> ReadState {
        self.input
    }

    /// Bytes of a message that has not arrived as a whole.
    pub(super) fn assembling(&self) -> usize {
        self.held.bytes() as usize
    }

    /// Throws away what has not arrived as a whole, and all that follows.
    pub(super) fn give_up(&mut self) {
        if self.input == ReadState::Open {
            self.input = ReadState::Over;
        }
        self.head = None;
        self.partial = None;
        self.buffer = BytesMut::new();
        self.held.set(0);
    }

    /// Takes the next message out of what has arrived; `None`: more must be read.
    ///
    /// Errors: the code to close with, as protocol.md §5 lists them. After an error or a Close
    /// there are no more messages.
    pub fn parse(&mut self) -> Result<Option<Message>, CloseCode> {
        if self.input != ReadState::Open {
            self.buffer.clear();
            return Ok(None);
        }
        let parsed = self.parse_open();
        if matches!(parsed, Err(_) | Ok(Some(Message::Close(_)))) {
            self.give_up();
        }
        parsed
    }

    fn parse_open(&mut self) -> Result<Option<Message>, CloseCode> {
        while let Some(head) = self.next_head()? {
            // `admit` compared the length with a `usize`.
            let length = head.payload as usize;
            if self.buffer.len() < length {
                break;
            }
            self.head = None;
            let mut payload = self.buffer.split_to(length);
            unmask(&mut payload, head.mask);
            if let Some(message) = self.assemble(head, payload.freeze())? {
                self.charge()?;
                return Ok(Some(message));
            }
        }
        self.charge()?;
        Ok(None)
    }

    fn next_head(&mut self) -> Result<Option<FrameHead>, CloseCode> {
        if self.head.is_none()
            && let Some(head) = FrameHead::parse(&self.buffer)?
        {
            self.admit(&head)?;
            self.buffer.advance(head.bytes);
            self.head = Some(head);
        }
        Ok(self.head)
    }

    /// Judges a frame by its head, before any room is made for its payload.
    fn admit(&self, head: &FrameHead) -> Result<(), CloseCode> {
        let (bytes, fragments) = match (head.opcode, &self.partial) {
            (OpCode::Close | OpCode::Ping | OpCode::Pong, _) => return Ok(()),
            (OpCode::Text | OpCode::Binary, None) => (0, usize::from(!head.fin)),
            (OpCode::Continuation, Some(partial)) => (partial.bytes.len(), partial.fragments + 1),
            (OpCode::Text | OpCode::Binary, Some(_)) | (OpCode::Continuation, None) => {
                return Err(CloseCode::ProtocolError);
            }
        };
        let room = self.message_bytes.saturating_sub(bytes) as u64;
        if head.payload > room || fragments * FRAGMENT_OVERHEAD_BYTES > self.message_bytes {
            return Err(CloseCode::TooBig);
        }
        Ok(())
    }

    fn assemble(&mut self, head: FrameHead, payload: Bytes) -> Result<Option<Message>, CloseCode> {
        match head.opcode {
            OpCode::Ping => return Ok(Some(Message::Ping(payload))),
            OpCode::Pong => return Ok(Some(Message::Pong(payload))),
            OpCode::Close => return close_of(payload).map(Some),
            OpCode::Text | OpCode::Binary if head.fin => {
                return whole(head.opcode == OpCode::Text, payload).map(Some);
            }
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {}
        }
        let mut partial = self.partial.take().unwrap_or_else(|| PartialMessage {
            text: head.opcode == OpCode::Text,
            bytes: BytesMut::new(),
            fragments: 0,
            checked: 0,
        });
        partial.push(&payload)?;
        if head.fin {
            return partial.finish().map(Some);
        }
        self.partial = Some(partial);
        Ok(None)
    }

    /// Charges what waits for the rest of its message: nothing at all in the common case.
    fn charge(&mut self) -> Result<(), CloseCode> {
        let frame = self.head.map_or(0, |_| self.buffer.len());
        match self.held.set((self.fragment_bytes() + frame) as u64) {
            true => Ok(()),
            false => Err(CloseCode::TryLater),
        }
    }

    fn fragment_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            partial.bytes.len() + partial.fragments * FRAGMENT_OVERHEAD_BYTES
        })
    }

    /// Frees the memory of parsed bytes. Charges for the bytes that stay unread during a wait, in this buffer
    /// and in the kernel. False: the budget has no room for them.
    pub(super) fn leave_unread(&mut self) -> bool {
        // A slice of the old buffer would hold all of it.
        self.buffer = BytesMut::from(&self.buffer[..]);
        let fragments = self.fragment_bytes();
        self.held
            .set((fragments + self.buffer.len() + UNREAD_BYTES_MAX) as u64)
    }

    /// Reads once. Ready: there is something new to parse, or [`ReadState::ConnectionEnd`]. Cancel safe.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.input == ReadState::Ended {
            return Poll::Ready(());
        }
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        let missing = self
            .head
            .map_or(0, |head| head.payload as usize - self.buffer.len());
        let read = match missing {
            0..=READ_BYTES => self.poll_copy(cx),
            // Room grows with what has arrived, never with what was declared.
            _ => {
                let room = missing.min(self.buffer.len()).max(READ_BYTES);
                self.buffer.reserve(room);
                self.stream.poll_read_buf(cx, &mut self.buffer)
            }
        };
        match ready!(read) {
            Ok(0) | Err(_) => self.input = ReadState::Ended,
            Ok(_) => {}
        }
        Poll::Ready(())
    }

    /// Reads onto the stack and keeps what came: most of it is a few hundred bytes, and to copy them
    /// is cheaper than an allocation of all the room.
    fn poll_copy(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut room);
        ready!(self.stream.poll_read(cx, &mut read))?;
        self.buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Reads once and throws away what came, up to the peer's Close; says how many bytes came. Cancel
    /// safe.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let held = self.buffer.len();
        ready!(self.poll_fill(cx));
        let read = self.buffer.len() - held;
        while let Ok(Some(_)) = self.parse() {}
        Poll::Ready(read)
    }
}

#[cfg(test)]
mod tests;
