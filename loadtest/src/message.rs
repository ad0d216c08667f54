//! The texts of messages: how they are made, and how a receiver checks them.
//!
//! ```text
//!  {"type":"message","id":"TOKEN","data":{"to":"b000001","text":"TOKEN" + padding}}
//!  TOKEN = flow.number.time      0000007.0000000042.00000a1b2c3d4
//! ```
//!
//! The padding follows from the token, so a text that was cut, mixed up or given to another
//! message does not match. The time is when the message was due, nanoseconds of the run.

use memchr::memmem;
use serde_json::Value;

/// Bytes of a token.
pub const TOKEN_BYTES: usize = FLOW_DIGITS + 1 + NUMBER_DIGITS + 1 + TIME_DIGITS;

const FLOW_DIGITS: usize = 7;
const NUMBER_DIGITS: usize = 10;
/// In hexadecimal: 2^52 ns are 52 days.
const TIME_DIGITS: usize = 13;
/// Different paddings: large enough that two messages rarely share one.
const PADDINGS: usize = 4096;

/// What a message says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageToken {
    /// Which flow it belongs to.
    pub flow: u32,
    /// Its number in it, from 0.
    pub number: u64,
    /// When it was due, nanoseconds of the run.
    pub time: u64,
}

impl MessageToken {
    /// Its text.
    pub fn write(self) -> [u8; TOKEN_BYTES] {
        let mut text = [b'.'; TOKEN_BYTES];
        digits(&mut text[..FLOW_DIGITS], self.flow.into(), 10);
        digits(
            &mut text[FLOW_DIGITS + 1..][..NUMBER_DIGITS],
            self.number,
            10,
        );
        digits(&mut text[TOKEN_BYTES - TIME_DIGITS..], self.time, 16);
        text
    }

    /// Reads it from the beginning of a text.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = text.get(..TOKEN_BYTES)?;
        let (flow, rest) = text.split_at(FLOW_DIGITS);
        let (number, time) = rest.split_at(NUMBER_DIGITS + 1);
        if number[0] != b'.' || time[0] != b'.' {
            return None;
        }
        Some(Self {
            flow: value(flow, 10)?.try_into().ok()?,
            number: value(&number[1..], 10)?,
            time: value(&time[1..], 16)?,
        })
    }
}

fn digits(into: &mut [u8], mut number: u64, base: u64) {
    for digit in into.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number % base) as usize];
        number /= base;
    }
}

fn value(text: &[u8], base: u64) -> Option<u64> {
    text.iter().try_fold(0, |sum: u64, byte| {
        let digit = char::from(*byte).to_digit(base as u32)?;
        sum.checked_mul(base)?.checked_add(digit.into())
    })
}

/// What texts are padded with: one table, from which each takes a slice.
#[derive(Debug)]
pub struct PaddingTable {
    table: Vec<u8>,
}

impl PaddingTable {
    /// A table for paddings of at most so many bytes.
    pub fn new(longest: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let letters = (0..PADDINGS + longest).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b"abcdefghijklmnopqrstuvwxyz      "[(state >> 32) as usize % 32]
        });
        Self {
            table: letters.collect(),
        }
    }

    /// The padding of a message.
    pub fn of(&self, token: MessageToken, bytes: usize) -> &[u8] {
        let mixed = (token.time ^ u64::from(token.flow) << 40 ^ token.number << 20)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let start = (mixed >> 32) as usize % PADDINGS;
        &self.table[start..start + bytes]
    }
}

/// Which of the message family a flow carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Arrives once, in order, or is refused.
    Message,
    /// Best effort; a newer one may replace it.
    Partial,
    /// Best effort.
    Typing,
}

impl MessageKind {
    /// The frame's `type`.
    pub const fn wire_name(self) -> &'static str {
        match self {
            MessageKind::Message => "message",
            MessageKind::Partial => "message_partial",
            MessageKind::Typing => "typing",
        }
    }
}

/// A message of a flow, ready to be written.
#[derive(Debug)]
pub(crate) struct OutgoingMessage<'a> {
    /// Its frame's `type`.
    pub kind: MessageKind,
    /// The recipient's name.
    pub to: &'a str,
    /// The bot that sends it, if it is one.
    pub from: Option<&'a str>,
    /// The stream it belongs to.
    pub stream: Option<u64>,
    /// What it says of itself.
    pub token: MessageToken,
    /// What follows.
    pub padding: &'a [u8],
}

impl OutgoingMessage<'_> {
    /// Replaces what is in `out` by the frame's text.
    pub fn write(&self, out: &mut Vec<u8>) {
        let token = self.token.write();
        out.clear();
        let mut put = |text: &[u8]| out.extend_from_slice(text);
        put(b"{\"type\":\"");
        put(self.kind.wire_name().as_bytes());
        if self.kind == MessageKind::Message {
            put(b"\",\"id\":\"");
            put(&token);
        }
        put(b"\",\"data\":{\"to\":\"");
        put(self.to.as_bytes());
        if let Some(from) = self.from {
            put(b"\",\"from\":\"");
            put(from.as_bytes());
        }
        put(b"\"");
        if let Some(stream) = self.stream {
            put(format!(",\"streamId\":\"s{stream}\"").as_bytes());
        }
        match self.kind {
            MessageKind::Message => {}
            MessageKind::Partial => put(format!(",\"seq\":{}", self.token.number + 1).as_bytes()),
            MessageKind::Typing => put(b",\"active\":true"),
        }
        put(b",\"text\":\"");
        put(&token);
        put(self.padding);
        put(b"\"}}");
    }
}

/// A delivered message: the members that are checked.
#[derive(Debug, PartialEq, Eq)]
pub struct IncomingMessage<'a> {
    /// The sender, as the gateway says.
    pub from: &'a [u8],
    /// The recipient, as the gateway says.
    pub to: &'a [u8],
    /// The body.
    pub text: &'a [u8],
}

/// The type of a frame that begins with it.
pub(crate) fn first_type(payload: &[u8]) -> Option<&[u8]> {
    let rest = payload.strip_prefix(b"{\"type\":\"")?;
    Some(&rest[..memchr::memchr(b'"', rest)?])
}

/// The type of a frame, wherever it stands.
pub(crate) fn type_slowly(payload: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    Some(value["type"].as_str()?.to_owned())
}

/// Takes a delivered frame apart, if it has the form that the gateway writes; else
/// [`read_slowly`] can tell.
pub fn read(payload: &[u8]) -> Option<IncomingMessage<'_>> {
    let (from, rest) = quoted(payload, b"\"data\":{\"from\":\"")?;
    let (to, rest) = quoted(rest.strip_prefix(b",")?, b"\"to\":\"")?;
    let (text, _) = quoted(rest, b"\"text\":\"")?;
    Some(IncomingMessage { from, to, text })
}

/// The same for members in any order. Errors: it is no such message.
pub fn read_slowly(payload: &[u8]) -> Option<(String, String, String)> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    let member = |name: &str| Some(value["data"][name].as_str()?.to_owned());
    Some((member("from")?, member("to")?, member("text")?))
}

/// What stands behind `key` up to the next quote, and what follows. None of our texts has escapes.
fn quoted<'a>(text: &'a [u8], key: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = match text.starts_with(key) {
        true => key.len(),
        false => memmem::find(text, key)? + key.len(),
    };
    let end = start + memchr::memchr(b'"', &text[start..])?;
    Some((&text[start..end], &text[end + 1..]))
}

/// The token in the `id` of an ack or a refusal.
pub(crate) fn token_of_answer(payload: &[u8]) -> Option<MessageToken> {
    let (id, _) = quoted(payload, b"\"id\":\"")?;
    MessageToken::read(id).filter(|_| id.len() == TOKEN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: MessageToken = MessageToken {
        flow: 7,
        number: 42,
        time: 0xabcdef,
    };

    fn outgoing(padding: &[u8]) -> OutgoingMessage<'_> {
        OutgoingMessage {
            kind: MessageKind::Message,
            to: "b1",
            from: None,
            stream: None,
            token: TOKEN,
            padding,
        }
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let text = TOKEN.write();
        assert_eq!(&text, b"0000007.0000000042.0000000abcdef");
        assert_eq!(MessageToken::read(&text), Some(TOKEN));
        for bad in [
            "",
            "0000007.0000000042.0000000abcde",
            "0000007x0000000042.0000000abcdef",
        ] {
            assert_eq!(MessageToken::read(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_frame_is_json_of_the_protocol() {
        for kind in [
            MessageKind::Message,
            MessageKind::Partial,
            MessageKind::Typing,
        ] {
            let mut frame = Vec::new();
            OutgoingMessage {
                kind,
                from: Some("bot"),
                stream: (kind == MessageKind::Partial).then_some(3),
                ..outgoing(b"and so on")
            }
            .write(&mut frame);
            let read: protocol::t2b::frames::ClientFrame = serde_json::from_slice(&frame).unwrap();
            let text = serde_json::to_value(read).unwrap();
            assert_eq!(text["type"], kind.wire_name());
            assert_eq!(text["data"]["from"], "bot");
        }
    }

    #[test]
    fn both_readers_find_the_same() {
        let frame = br#"{"type":"message","data":{"from":"phone","to":"b1","id":"m","connectionId":"c","text":"hi","timestamp":"t"},"timestamp":1}"#;
        let read = read(frame).unwrap();
        assert_eq!(
            (read.from, read.to, read.text),
            (&b"phone"[..], &b"b1"[..], &b"hi"[..])
        );
        let turned = br#"{"data":{"text":"hi","to":"b1","from":"phone"},"type":"message"}"#;
        assert_eq!(first_type(frame), Some(&b"message"[..]));
        assert_eq!(
            (first_type(turned), type_slowly(turned)),
            (None, Some("message".to_owned()))
        );
        let slow = read_slowly(turned).unwrap();
        assert_eq!(slow, ("phone".to_owned(), "b1".to_owned(), "hi".to_owned()));
    }

    #[test]
    fn paddings_differ_between_messages() {
        let padding = PaddingTable::new(100);
        let next = MessageToken {
            number: 43,
            ..TOKEN
        };
        assert_eq!(padding.of(TOKEN, 100), padding.of(TOKEN, 100));
        assert_ne!(padding.of(TOKEN, 100), padding.of(next, 100));
    }

    #[test]
    fn an_answer_says_which_message_it_is_about() {
        let ack = br#"{"type":"message_ack","data":{"messageId":"x","status":"delivered"},"id":"0000007.0000000042.0000000abcdef","timestamp":1}"#;
        assert_eq!(token_of_answer(ack), Some(TOKEN));
        assert_eq!(
            token_of_answer(br#"{"type":"error","data":{},"timestamp":1}"#),
            None
        );
        assert_eq!(
            token_of_answer(br#"{"type":"error","data":{},"id":"7"}"#),
            None
        );
    }
}
