//! Reads what comes most: numbers, and messages, whose payload is a slice of what was read. All else
//! is left to redis-rs.

use bytes::{Bytes, BytesMut};
use redis::{RedisError, Value, ValueCodec};
use tokio_util::codec::{Decoder, Encoder};

/// Longest line that is looked at here.
const LINE: usize = 32;
const MESSAGES: [&[u8]; 2] = [b">3\r\n$7\r\nmessage\r\n", b">3\r\n$8\r\nsmessage\r\n"];

/// One thing that Redis says.
#[derive(Debug, PartialEq)]
pub(super) enum SocketReply {
    /// Published: to so many.
    Number(i64),
    /// Pushed by a subscription.
    Message { channel: Bytes, payload: Bytes },
    /// Anything else, errors among it.
    Other(Value),
}

/// Tells them apart.
#[derive(Default)]
pub(super) struct ReplyCodec {
    rest: ValueCodec,
    /// It has taken a part of something.
    is_midway: bool,
}

/// What the beginning of a buffer is.
enum ReplyStart<T> {
    With(T),
    /// Not all of it is there.
    Short,
    Otherwise,
}

impl ReplyCodec {
    pub fn new(rest: ValueCodec) -> Self {
        let is_midway = false;
        Self { rest, is_midway }
    }
}

impl Decoder for ReplyCodec {
    type Item = SocketReply;
    type Error = RedisError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<SocketReply>, RedisError> {
        if src.is_empty() {
            return Ok(None);
        }
        if !self.is_midway {
            match quick(src) {
                ReplyStart::With(reply) => return Ok(Some(reply)),
                ReplyStart::Short => return Ok(None),
                ReplyStart::Otherwise => {}
            }
        }
        let value = self.rest.decode(src)?;
        self.is_midway = value.is_none();
        Ok(value.map(SocketReply::Other))
    }
}

impl Encoder<Vec<u8>> for ReplyCodec {
    type Error = RedisError;

    fn encode(&mut self, commands: Vec<u8>, out: &mut BytesMut) -> Result<(), RedisError> {
        out.extend_from_slice(&commands);
        Ok(())
    }
}

fn quick(src: &mut BytesMut) -> ReplyStart<SocketReply> {
    if src.first() == Some(&b':') {
        return match number(src, 0) {
            ReplyStart::With((number, end)) => {
                drop(src.split_to(end));
                ReplyStart::With(SocketReply::Number(number))
            }
            ReplyStart::Short => ReplyStart::Short,
            ReplyStart::Otherwise => ReplyStart::Otherwise,
        };
    }
    for head in MESSAGES {
        if src.starts_with(head) {
            return message(src, head.len());
        }
        if head.starts_with(src) {
            return ReplyStart::Short;
        }
    }
    ReplyStart::Otherwise
}

fn message(src: &mut BytesMut, at: usize) -> ReplyStart<SocketReply> {
    let (channel, payload) = match bulk(src, at) {
        ReplyStart::With(channel) => match bulk(src, channel.1 + 2) {
            ReplyStart::With(payload) => (channel, payload),
            ReplyStart::Short => return ReplyStart::Short,
            ReplyStart::Otherwise => return ReplyStart::Otherwise,
        },
        ReplyStart::Short => return ReplyStart::Short,
        ReplyStart::Otherwise => return ReplyStart::Otherwise,
    };
    let whole = payload.1 + 2;
    if src.len() < whole {
        // The rest is read at once.
        src.reserve(whole - src.len());
        return ReplyStart::Short;
    }
    let text = src.split_to(whole).freeze();
    ReplyStart::With(SocketReply::Message {
        channel: text.slice(channel.0..channel.1),
        payload: text.slice(payload.0..payload.1),
    })
}

/// Where the text that begins with its length at `at` has its bytes; they need not be there yet.
fn bulk(src: &[u8], at: usize) -> ReplyStart<(usize, usize)> {
    match src.get(at) {
        None => return ReplyStart::Short,
        Some(b'$') => {}
        Some(_) => return ReplyStart::Otherwise,
    }
    match number(src, at) {
        ReplyStart::With((length, begin)) => match usize::try_from(length) {
            Ok(length) if length <= isize::MAX as usize / 4 => {
                ReplyStart::With((begin, begin + length))
            }
            Ok(_) | Err(_) => ReplyStart::Otherwise,
        },
        ReplyStart::Short => ReplyStart::Short,
        ReplyStart::Otherwise => ReplyStart::Otherwise,
    }
}

/// The number of the line whose kind stands at `at`, and where the next line begins.
fn number(src: &[u8], at: usize) -> ReplyStart<(i64, usize)> {
    let line = &src[at + 1..];
    let Some(length) = line.iter().take(LINE).position(|byte| *byte == b'\n') else {
        return match line.len() < LINE {
            true => ReplyStart::Short,
            false => ReplyStart::Otherwise,
        };
    };
    let text = line[..length].strip_suffix(b"\r");
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    match text.and_then(|text| text.parse().ok()) {
        Some(number) => ReplyStart::With((number, at + 1 + length + 1)),
        None => ReplyStart::Otherwise,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAID: &[u8] = b":12\r\n>3\r\n$7\r\nmessage\r\n$3\r\na:b\r\n$4\r\nx\r\ny\r\n+PONG\r\n\
        >3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$0\r\n\r\n-ERR no\r\n:-1\r\n";

    fn message(channel: &'static str, payload: &'static str) -> SocketReply {
        SocketReply::Message {
            channel: channel.into(),
            payload: payload.into(),
        }
    }

    /// What is read of these bytes, when they come in two parts.
    fn read(bytes: &[u8], cut: usize) -> Vec<SocketReply> {
        let (mut codec, mut buffer) = (ReplyCodec::default(), BytesMut::new());
        let mut found = Vec::new();
        for part in [&bytes[..cut], &bytes[cut..]] {
            buffer.extend_from_slice(part);
            while let Some(reply) = codec.decode(&mut buffer).unwrap() {
                found.push(reply);
            }
        }
        assert!(buffer.is_empty());
        found
    }

    #[test]
    fn it_is_the_same_however_it_is_cut() {
        let whole = read(SAID, 0);
        assert_eq!(whole[0], SocketReply::Number(12));
        assert_eq!(whole[1], message("a:b", "x\r\ny"));
        assert_eq!(
            whole[2],
            SocketReply::Other(Value::SimpleString("PONG".into()))
        );
        assert!(matches!(whole[3], SocketReply::Other(Value::Push { .. })));
        assert_eq!(whole[4], message("c", ""));
        assert!(matches!(
            whole[5],
            SocketReply::Other(Value::ServerError(_))
        ));
        assert_eq!(whole[6], SocketReply::Number(-1));
        assert_eq!(whole.len(), 7);
        for cut in 0..SAID.len() {
            assert_eq!(read(SAID, cut), whole, "{cut}");
        }
    }

    proptest! {
        #[test]
        fn changed_bytes_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = BytesMut::from(SAID);
            bytes[at.index(SAID.len())] = byte;
            let mut codec = ReplyCodec::default();
            while let Ok(Some(_)) = codec.decode(&mut bytes) {}
        }
    }
}
