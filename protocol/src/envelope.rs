//! What one node sends another, and what a session hands to its tenant: a message with an address.

use bytes::Bytes;
use rmp::encode::ValueWriteError;
use rmp::{decode, encode};

use crate::ids::{ConnectionId, InvalidId, MessageId, Name, StreamId, TenantId};
use crate::message::{Body, Message, SendKind};

/// The wire versions of packets and envelopes that this build reads and writes: `[min, max]`.
///
/// | version | what it changed |
/// | --- | --- |
/// | 1 | the first |
/// | 2 | a packet has a head, with its version and the id of its key |
///
/// Whatever changes the bytes of either is a new version, with vectors of its own in
/// `protocol/tests/vectors/`.
pub const WIRE: [u16; 2] = [1, 2];

/// The version that a node with `ours`, `[min, max]`, writes for a node that reads `theirs`: the
/// lower maximum. `None` if they have none in common.
pub(crate) const fn common_wire(ours: [u16; 2], theirs: [u16; 2]) -> Option<u16> {
    let max = if ours[1] < theirs[1] {
        ours[1]
    } else {
        theirs[1]
    };
    if max >= ours[0] && max >= theirs[0] {
        Some(max)
    } else {
        None
    }
}

/// A message of the family on its way to its recipient.
///
/// Shape on the wire: the version (two bytes, big endian), then a MessagePack array. Its first
/// member is the texts of all others, one behind the other, so that they are looked at once. The
/// others are `tenant`, `kind` (0 message, 1 partial, 2 typing), `from`, `connection`, `to`,
/// `message_id`, `idempotent` (0, 1), `stream_id`, `stamped_ms`, `body` (one binary run of JSON
/// members), `reply_to`, the two numbers of `part`, `trace`: a text as its length in bytes, what is
/// absent as nil. Members may be added at the end: a reader passes over those that it does not know,
/// and those that are missing behind `body` are absent.
///
/// The tenant is copied from the sender's permit, never read from a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Whose message it is.
    pub tenant: TenantId,
    /// The sender: a bot it holds, or its client id.
    pub from: Name,
    /// The sender's connection.
    pub connection: ConnectionId,
    /// Whether the `message_id` is the sender's, and so an idempotency key.
    pub idempotent: bool,
    /// When the gateway took it, Unix milliseconds, if the sender gave no `timestamp` of its own.
    pub stamped_ms: Option<u64>,
    /// The trace that it belongs to, if it is sampled. Source: W3C Trace Context, `traceparent`.
    pub trace: Option<Box<str>>,
    /// What is carried.
    pub message: Box<Message>,
}

/// Why bytes are no envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The first two bytes name a version outside [`WIRE`].
    #[error("envelope of wire version {0} is not understood")]
    Version(u16),
    /// Fewer bytes than a version takes.
    #[error("envelope is cut short")]
    Short,
    /// The rest is not MessagePack of this shape.
    #[error("envelope is not well formed")]
    Malformed,
}

/// Members that are written.
const MEMBERS: u32 = 15;
/// What the version, the numbers and the heads of all members take at most.
const HEADS_BYTES: usize = 64;
const NIL: u8 = 0xc0;

impl Envelope {
    /// Writes the envelope for this build.
    pub fn to_bytes(&self) -> Bytes {
        self.to_bytes_at(WIRE[1])
    }

    /// Writes the envelope in the wire version `version`, from [`common_wire`]. Versions 1 and 2
    /// differ in the number alone.
    pub fn to_bytes_at(&self, version: u16) -> Bytes {
        let texts = self.texts().map(|text| text.map_or(0, str::len));
        let texts_bytes: usize = texts.iter().sum();
        let mut out = Vec::with_capacity(HEADS_BYTES + texts_bytes + self.message.body.len());
        out.extend_from_slice(&version.to_be_bytes());
        let length = u32::try_from(texts_bytes).expect("ids are short");
        self.write(length, &mut out)
            .expect("a Vec takes everything");
        Bytes::from(out)
    }

    /// In the order of their members.
    fn texts(&self) -> [Option<&str>; 8] {
        let message = &self.message;
        [
            Some(self.tenant.as_str()),
            Some(self.from.as_str()),
            Some(self.connection.as_str()),
            Some(message.to.as_str()),
            message.message_id.as_ref().map(MessageId::as_str),
            message.stream_id.as_ref().map(StreamId::as_str),
            message.reply_to.as_ref().map(MessageId::as_str),
            self.trace.as_deref(),
        ]
    }

    fn write(&self, texts_bytes: u32, out: &mut Vec<u8>) -> Result<(), ValueWriteError> {
        let texts = self.texts();
        encode::write_array_len(out, MEMBERS)?;
        encode::write_str_len(out, texts_bytes)?;
        for text in texts.into_iter().flatten() {
            out.extend_from_slice(text.as_bytes());
        }
        let lengths = texts.map(|text| text.map(|text| text.len() as u64));
        let [
            tenant,
            from,
            connection,
            to,
            message,
            stream,
            reply_to,
            trace,
        ] = lengths;
        write_number(out, tenant)?;
        write_number(out, Some(kind_number(self.message.kind)))?;
        write_number(out, from)?;
        write_number(out, connection)?;
        write_number(out, to)?;
        write_number(out, message)?;
        write_number(out, Some(self.idempotent.into()))?;
        write_number(out, stream)?;
        write_number(out, self.stamped_ms)?;
        let Message { body, part, .. } = &*self.message;
        let length = u32::try_from(body.len()).expect("a frame is far below 4 GiB");
        encode::write_bin_len(out, length)?;
        body.write(out);
        write_number(out, reply_to)?;
        write_number(out, part.map(|(number, _)| number))?;
        write_number(out, part.map(|(_, count)| count))?;
        write_number(out, trace)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. The body is a slice of `bytes`, and keeps them
    /// alive: see [`Body::detach`].
    pub fn from_bytes(bytes: &Bytes) -> Result<Self, EnvelopeError> {
        let (version, rest) = bytes.split_first_chunk::<2>().ok_or(EnvelopeError::Short)?;
        let version = u16::from_be_bytes(*version);
        if !(WIRE[0]..=WIRE[1]).contains(&version) {
            return Err(EnvelopeError::Version(version));
        }
        Self::read(rest, bytes).ok_or(EnvelopeError::Malformed)
    }

    fn read(mut rest: &[u8], bytes: &Bytes) -> Option<Self> {
        let left = decode::read_array_len(&mut rest).ok()?.checked_sub(1)?;
        let length = decode::read_str_len(&mut rest).ok()?;
        let texts = std::str::from_utf8(split(&mut rest, length)?).ok()?;
        let mut members = EnvelopeMembers { texts, rest, left };
        let tenant = members.id(TenantId::parse)??;
        let kind = kind_numbered(members.number()??)?;
        let from = members.id(Name::parse)??;
        let connection = members.id(ConnectionId::parse)??;
        let to = members.id(Name::parse)??;
        let message_id = members.id(MessageId::parse)?;
        let idempotent = members.number()?? != 0;
        let stream_id = members.id(StreamId::parse)?;
        let stamped_ms = members.number()?;
        let body = Body::from_members(bytes.slice_ref(members.binary()??));
        let reply_to = members.id(MessageId::parse)?;
        let part = match (members.number()?, members.number()?) {
            (Some(number), Some(count)) => Some((number, count)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return None,
        };
        let message = Message {
            kind,
            to,
            message_id,
            stream_id,
            reply_to,
            part,
            body,
        };
        Some(Self {
            tenant,
            from,
            connection,
            idempotent,
            stamped_ms,
            trace: members.text()?.map(Box::from),
            message: Box::new(message),
        })
    }
}

fn write_number(out: &mut Vec<u8>, number: Option<u64>) -> Result<(), ValueWriteError> {
    match number {
        Some(number) => drop(encode::write_uint(out, number)?),
        None => out.push(NIL),
    }
    Ok(())
}

fn kind_number(kind: SendKind) -> u64 {
    match kind {
        SendKind::Message => 0,
        SendKind::MessagePartial => 1,
        SendKind::Typing => 2,
    }
}

fn kind_numbered(number: u64) -> Option<SendKind> {
    match number {
        0 => Some(SendKind::Message),
        1 => Some(SendKind::MessagePartial),
        2 => Some(SendKind::Typing),
        _ => None,
    }
}

/// The members of an array that are not read yet. A method says `None` if the next one is something
/// else than it wants; `Some(None)` if it is nil, or none is left.
struct EnvelopeMembers<'a> {
    texts: &'a str,
    rest: &'a [u8],
    left: u32,
}

impl<'a> EnvelopeMembers<'a> {
    fn next<T>(&mut self, read: impl FnOnce(&mut &'a [u8]) -> Option<T>) -> Option<Option<T>> {
        if self.left == 0 {
            return Some(None);
        }
        self.left -= 1;
        match self.rest.split_first()? {
            (&NIL, rest) => {
                self.rest = rest;
                Some(None)
            }
            _ => read(&mut self.rest).map(Some),
        }
    }

    fn number(&mut self) -> Option<Option<u64>> {
        self.next(|rest| decode::read_int(rest).ok())
    }

    fn text(&mut self) -> Option<Option<&'a str>> {
        let Some(length) = self.number()? else {
            return Some(None);
        };
        let (text, texts) = self.texts.split_at_checked(usize::try_from(length).ok()?)?;
        self.texts = texts;
        Some(Some(text))
    }

    fn id<T>(&mut self, parse: impl FnOnce(&str) -> Result<T, InvalidId>) -> Option<Option<T>> {
        match self.text()? {
            Some(text) => parse(text).ok().map(Some),
            None => Some(None),
        }
    }

    fn binary(&mut self) -> Option<Option<&'a [u8]>> {
        self.next(|rest| {
            let length = decode::read_bin_len(rest).ok()?;
            split(rest, length)
        })
    }
}

fn split<'a>(rest: &mut &'a [u8], length: u32) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length as usize)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests;
