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
pub(super) enum Reply {
    /// Published: to so many.
    Number(i64),
    /// Pushed by a subscription.
    Message { channel: Bytes, payload: Bytes },
    /// Anything else, errors among it.
    Other(Value),
}

/// Tells them apart.
#[derive(Default)]
pub(super) struct Replies {
    rest: ValueCodec,
    /// It has taken a part of something.
    is_midway: bool,
}

/// What the beginning of a buffer is.
enum Begins<T> {
    With(T),
    /// Not all of it is there.
    Short,
    Otherwise,
}

impl Replies {
    pub fn new(rest: ValueCodec) -> Self {
        let is_midway = false;
        Self { rest, is_midway }
    }
}

impl Decoder for Replies {
    type Item = Reply;
    type Error = RedisError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Reply>, RedisError> {
        if src.is_empty() {
            return Ok(None);
        }
        if !self.is_midway {
            match quick(src) {
                Begins::With(reply) => return Ok(Some(reply)),
                Begins::Short => return Ok(None),
                Begins::Otherwise => {}
            }
        }
        let value = self.rest.decode(src)?;
        self.is_midway = value.is_none();
        Ok(value.map(Reply::Other))
    }
}

impl Encoder<Vec<u8>> for Replies {
    type Error = RedisError;

    fn encode(&mut self, commands: Vec<u8>, out: &mut BytesMut) -> Result<(), RedisError> {
        out.extend_from_slice(&commands);
        Ok(())
    }
}

fn quick(src: &mut BytesMut) -> Begins<Reply> {
    if src.first() == Some(&b':') {
        return match number(src, 0) {
            Begins::With((number, end)) => {
                drop(src.split_to(end));
                Begins::With(Reply::Number(number))
            }
            Begins::Short => Begins::Short,
            Begins::Otherwise => Begins::Otherwise,
        };
    }
    for head in MESSAGES {
        if src.starts_with(head) {
            return message(src, head.len());
        }
        if head.starts_with(src) {
            return Begins::Short;
        }
    }
    Begins::Otherwise
}

fn message(src: &mut BytesMut, at: usize) -> Begins<Reply> {
    let (channel, payload) = match bulk(src, at) {
        Begins::With(channel) => match bulk(src, channel.1 + 2) {
            Begins::With(payload) => (channel, payload),
            Begins::Short => return Begins::Short,
            Begins::Otherwise => return Begins::Otherwise,
        },
        Begins::Short => return Begins::Short,
        Begins::Otherwise => return Begins::Otherwise,
    };
    let whole = payload.1 + 2;
    if src.len() < whole {
        // The rest is read at once.
        src.reserve(whole - src.len());
        return Begins::Short;
    }
    let text = src.split_to(whole).freeze();
    Begins::With(Reply::Message {
        channel: text.slice(channel.0..channel.1),
        payload: text.slice(payload.0..payload.1),
    })
}

/// Where the text that begins with its length at `at` has its bytes; they need not be there yet.
fn bulk(src: &[u8], at: usize) -> Begins<(usize, usize)> {
    match src.get(at) {
        None => return Begins::Short,
        Some(b'$') => {}
        Some(_) => return Begins::Otherwise,
    }
    match number(src, at) {
        Begins::With((length, begin)) => match usize::try_from(length) {
            Ok(length) if length <= isize::MAX as usize / 4 => {
                Begins::With((begin, begin + length))
            }
            Ok(_) | Err(_) => Begins::Otherwise,
        },
        Begins::Short => Begins::Short,
        Begins::Otherwise => Begins::Otherwise,
    }
}

/// The number of the line whose kind stands at `at`, and where the next line begins.
fn number(src: &[u8], at: usize) -> Begins<(i64, usize)> {
    let line = &src[at + 1..];
    let Some(length) = line.iter().take(LINE).position(|byte| *byte == b'\n') else {
        return match line.len() < LINE {
            true => Begins::Short,
            false => Begins::Otherwise,
        };
    };
    let text = line[..length].strip_suffix(b"\r");
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    match text.and_then(|text| text.parse().ok()) {
        Some(number) => Begins::With((number, at + 1 + length + 1)),
        None => Begins::Otherwise,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAID: &[u8] = b":12\r\n>3\r\n$7\r\nmessage\r\n$3\r\na:b\r\n$4\r\nx\r\ny\r\n+PONG\r\n\
        >3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$0\r\n\r\n-ERR no\r\n:-1\r\n";

    fn message(channel: &'static str, payload: &'static str) -> Reply {
        Reply::Message {
            channel: channel.into(),
            payload: payload.into(),
        }
    }

    /// What is read of these bytes, when they come in two parts.
    fn read(bytes: &[u8], cut: usize) -> Vec<Reply> {
        let (mut codec, mut buffer) = (Replies::default(), BytesMut::new());
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
        assert_eq!(whole[0], Reply::Number(12));
        assert_eq!(whole[1], message("a:b", "x\r\ny"));
        assert_eq!(whole[2], Reply::Other(Value::SimpleString("PONG".into())));
        assert!(matches!(whole[3], Reply::Other(Value::Push { .. })));
        assert_eq!(whole[4], message("c", ""));
        assert!(matches!(whole[5], Reply::Other(Value::ServerError(_))));
        assert_eq!(whole[6], Reply::Number(-1));
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
            let mut codec = Replies::default();
            while let Ok(Some(_)) = codec.decode(&mut bytes) {}
        }
    }
}
