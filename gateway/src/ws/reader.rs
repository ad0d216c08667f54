//! From bytes to messages: frames checked, unmasked and assembled within limits.
//!
//! Parsing and reading are two steps: [`Reader::parse`] takes the next message out of what has
//! arrived and never waits; [`Reader::poll_fill`] reads once and keeps nothing outside the reader,
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

use super::budget::{Budget, Charge};
use super::frame::{Head, close_code_is_valid};
use super::stream::ReadHalf;
use crate::socket_options::UNREAD_BYTES_MAX;

/// Room made for one read, bytes: about 30 chat frames, so that they are answered in one write.
const READ_BYTES: usize = 8 * 1024;

/// A whole message from the peer. Payloads are slices of the read buffer: do not keep them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; valid UTF-8.
    Text(Bytes),
    /// Binary.
    Binary(Bytes),
    /// A ping; the connection has answered it.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// The peer closes: code and reason (valid UTF-8), if it gave them.
    Close(Option<(u16, Bytes)>),
}

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
pub(super) enum Input {
    /// Messages may come.
    Open,
    /// A Close came, or something forbidden: what follows is read and thrown away.
    Over,
    /// The stream has ended.
    Ended,
}

/// The reading side of one connection.
pub struct Reader {
    stream: ReadHalf,
    buffer: BytesMut,
    head: Option<Head>,
    partial: Option<Partial>,
    message_bytes: usize,
    held: Charge,
    input: Input,
}

/// A fragmented message that waits for its last fragment.
struct Partial {
    text: bool,
    bytes: BytesMut,
    fragments: usize,
    /// Bytes at the start that are known to be valid UTF-8.
    checked: usize,
}

impl Reader {
    /// Reads from `stream`, beginning with `buffered`, what the upgrade had already read.
    pub fn new(stream: ReadHalf, buffered: &[u8], limits: ReadLimits) -> Self {
        Self {
            stream,
            buffer: BytesMut::from(buffered),
            head: None,
            partial: None,
            message_bytes: limits.message_bytes,
            held: Charge::new(limits.assembly),
            input: Input::Open,
        }
    }

    /// Changes the limits; a message under way is judged by the new ones from its next frame on.
    pub(super) fn set_limits(&mut self, limits: ReadLimits) {
        self.message_bytes = limits.message_bytes;
        self.held = Charge::new(limits.assembly);
    }

    pub(super) fn input(&self) -> Input {
        self.input
    }

    /// Bytes of a message that has not arrived as a whole.
    pub(super) fn assembling(&self) -> usize {
        self.held.bytes() as usize
    }

    /// Throws away what has not arrived as a whole, and all that follows.
    pub(super) fn give_up(&mut self) {
        if self.input == Input::Open {
            self.input = Input::Over;
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
        if self.input != Input::Open {
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

    fn next_head(&mut self) -> Result<Option<Head>, CloseCode> {
        if self.head.is_none()
            && let Some(head) = Head::parse(&self.buffer)?
        {
            self.admit(&head)?;
            self.buffer.advance(head.bytes);
            self.head = Some(head);
        }
        Ok(self.head)
    }

    /// Judges a frame by its head, before any room is made for its payload.
    fn admit(&self, head: &Head) -> Result<(), CloseCode> {
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

    fn assemble(&mut self, head: Head, payload: Bytes) -> Result<Option<Message>, CloseCode> {
        match head.opcode {
            OpCode::Ping => return Ok(Some(Message::Ping(payload))),
            OpCode::Pong => return Ok(Some(Message::Pong(payload))),
            OpCode::Close => return close_of(payload).map(Some),
            OpCode::Text | OpCode::Binary if head.fin => {
                return whole(head.opcode == OpCode::Text, payload).map(Some);
            }
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {}
        }
        let mut partial = self.partial.take().unwrap_or_else(|| Partial {
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

    /// Reads once. Ready: there is something new to parse, or [`Input::Ended`]. Cancel safe.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.input == Input::Ended {
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
            Ok(0) | Err(_) => self.input = Input::Ended,
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

impl Partial {
    fn push(&mut self, payload: &[u8]) -> Result<(), CloseCode> {
        self.bytes.extend_from_slice(payload);
        self.fragments += 1;
        if !self.text {
            return Ok(());
        }
        match simdutf8::compat::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(CloseCode::InvalidUtf8),
        }
        Ok(())
    }

    fn finish(self) -> Result<Message, CloseCode> {
        match (self.text, self.checked == self.bytes.len()) {
            (true, true) => Ok(Message::Text(self.bytes.freeze())),
            (true, false) => Err(CloseCode::InvalidUtf8),
            (false, _) => Ok(Message::Binary(self.bytes.freeze())),
        }
    }
}

fn whole(text: bool, payload: Bytes) -> Result<Message, CloseCode> {
    if !text {
        return Ok(Message::Binary(payload));
    }
    match simdutf8::basic::from_utf8(&payload) {
        Ok(_) => Ok(Message::Text(payload)),
        Err(_) => Err(CloseCode::InvalidUtf8),
    }
}

fn close_of(mut payload: Bytes) -> Result<Message, CloseCode> {
    if payload.is_empty() {
        return Ok(Message::Close(None));
    }
    let code = payload
        .try_get_u16()
        .map_err(|_| CloseCode::ProtocolError)?;
    if !close_code_is_valid(code) {
        return Err(CloseCode::ProtocolError);
    }
    match simdutf8::basic::from_utf8(&payload) {
        Ok(_) => Ok(Message::Close(Some((code, payload)))),
        Err(_) => Err(CloseCode::InvalidUtf8),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::ws::stream::split_boxed;

    const LIMIT: usize = 1000;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first, 0x80 | payload.len() as u8, 1, 2, 3, 4];
        frame.extend(
            payload
                .iter()
                .zip([1, 2, 3, 4].iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        frame
    }

    /// Everything the reader says when `input` arrives in pieces of these sizes.
    fn read(input: &[u8], pieces: &[usize]) -> (Vec<Message>, Option<CloseCode>, u64) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut peer, ours) = tokio::io::duplex(1 << 16);
            let assembly = Budget::new(1 << 20, None);
            let limits = ReadLimits {
                message_bytes: LIMIT,
                assembly: assembly.clone(),
            };
            let mut reader = Reader::new(split_boxed(ours).0, &[], limits);
            let mut messages = Vec::new();
            let (mut rest, mut pieces) = (input, pieces.iter().cycle());
            while !rest.is_empty() {
                let piece = rest.len().min(*pieces.next().unwrap());
                peer.write_all(&rest[..piece]).await.unwrap();
                rest = &rest[piece..];
                std::future::poll_fn(|cx| reader.poll_fill(cx)).await;
                loop {
                    match reader.parse() {
                        Ok(Some(message)) => messages.push(message),
                        Ok(None) => break,
                        Err(code) => return (messages, Some(code), assembly.used()),
                    }
                }
            }
            (messages, None, assembly.used())
        })
    }

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![
            8 => prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A]),
            1 => any::<u8>(),
        ];
        let payload = prop_oneof![
            "[a-zé€😀]{0,20}".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..125),
        ];
        (first, payload).prop_map(|(first, payload)| masked(first, &payload))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn how_bytes_are_cut_makes_no_difference(
            frames in proptest::collection::vec(frame(), 1..12),
            pieces in proptest::collection::vec(1..60usize, 1..8),
        ) {
            let input = frames.concat();
            let (whole, code, _) = read(&input, &[input.len()]);
            prop_assert_eq!((&whole, code), { let (cut, code, _) = read(&input, &pieces); (&cut.clone(), code) });
            for message in whole {
                if let Message::Text(text) = message {
                    prop_assert!(std::str::from_utf8(&text).is_ok() && text.len() <= LIMIT);
                }
            }
        }

        #[test]
        fn noise_never_panics(input in proptest::collection::vec(any::<u8>(), 1..300)) {
            read(&input, &[7, 50]);
        }
    }

    #[test]
    fn only_what_is_incomplete_is_charged() {
        let whole = masked(0x81, b"hello");
        assert_eq!(read(&whole, &[100]).2, 0);
        assert_eq!(
            read(&whole[..10], &[100]).2,
            4,
            "of a frame: its payload so far"
        );
        assert_eq!(
            read(&masked(0x01, b"hello"), &[100]).2,
            5 + 64,
            "of fragments: 64 each as well"
        );
    }

    #[test]
    fn nothing_follows_a_close() {
        let input = [masked(0x88, &[3, 232]), masked(0x81, b"x")].concat();
        assert_eq!(
            read(&input, &[100]).0,
            [Message::Close(Some((1000, Bytes::new())))]
        );
    }
}
