//! NATS over WebSocket: a stream of lines and payloads, cut into frames anywhere.
//!
//! Source: NATS client protocol. Core NATS only: a subject is a recipient's name.

use anyhow::{Context, Result, bail};

use super::stream_item::StreamItem;

/// What a client says first; `PONG` answers when all of it holds.
pub fn hello(name: &str) -> String {
    format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB {name} 1\r\nPING\r\n")
}

/// Ends the answer to [`hello`].
pub const READY: &[u8] = b"PONG\r\n";

/// Answers a `PING`.
pub const PONG: &[u8] = b"PONG\r\n";

/// What stands before a message of `bytes` bytes, and after it.
pub(crate) fn around(to: &str, bytes: usize) -> (Vec<u8>, Vec<u8>) {
    (
        format!("PUB {to} {bytes}\r\n").into_bytes(),
        b"\r\n".to_vec(),
    )
}

/// The first item of a stream and the bytes it takes, if it is there to the end.
///
/// Errors: the server says `-ERR`, or something that is no NATS.
pub fn parse(stream: &[u8]) -> Result<Option<(StreamItem, usize)>> {
    let Some(line_bytes) = stream.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let after = line_bytes + 1;
    let line = std::str::from_utf8(&stream[..line_bytes])?.trim_end();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        // MSG subject sid [reply-to] #bytes
        "MSG" => {
            let length = rest.rsplit(' ').next().context("a MSG without a length")?;
            let payload = after..after + length.parse::<usize>()?;
            let whole = payload.end + b"\r\n".len();
            Ok((stream.len() >= whole).then_some((StreamItem::Message(payload), whole)))
        }
        "PING" => Ok(Some((StreamItem::Ping, after))),
        "PONG" | "+OK" | "INFO" => Ok(Some((StreamItem::Other, after))),
        _ => bail!("nats-server says {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] =
        b"INFO {}\r\nMSG b000001 1 6\r\nab\r\ncd\r\nPING\r\nMSG b000001 1 rep.ly 0\r\n\r\n";

    #[test]
    fn items_are_taken_when_they_are_whole() {
        let mut at = 0;
        let mut items = Vec::new();
        while let Some((item, bytes)) = parse(&STREAM[at..]).unwrap() {
            for cut in 0..bytes {
                assert_eq!(parse(&STREAM[at..at + cut]).unwrap(), None, "{at} {cut}");
            }
            items.push(item);
            at += bytes;
        }
        assert_eq!(at, STREAM.len());
        let of = |range| StreamItem::Message(range);
        assert_eq!(
            items,
            [StreamItem::Other, of(17..23), StreamItem::Ping, of(24..24)]
        );
    }

    #[test]
    fn an_error_is_told() {
        assert!(parse(b"-ERR 'Slow Consumer'\r\n").is_err());
    }
}
