//! The client side of WebSocket: a handshake, masked frames out, plain frames in.
//!
//! Of its own, so that the generator costs as little as can be and counts what really arrived.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

/// Opcode of a text frame.
pub const TEXT: u8 = 1;
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;
/// Opcode of a ping.
pub const PING: u8 = 9;
/// Opcode of a pong.
pub const PONG: u8 = 10;

/// One key for all frames: what it is makes no difference to the cost of unmasking.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// One frame in a buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct BufferedFrame {
    /// What it is.
    pub opcode: u8,
    /// Where its payload stands.
    pub payload: Range<usize>,
}

/// The first frame of a buffer, if it is there to the end; the next one begins at `payload.end`.
pub fn parse(buffer: &[u8]) -> Option<BufferedFrame> {
    let (&[first, second], rest) = buffer.split_first_chunk()?;
    let (length, head_bytes): (usize, usize) = match second {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*rest.first_chunk()?) as usize, 10),
        short => (usize::from(short), 2),
    };
    let payload = head_bytes..head_bytes.saturating_add(length);
    (buffer.len() >= payload.end).then_some(BufferedFrame {
        opcode: first & 0x0f,
        payload,
    })
}

/// Appends a masked frame.
pub fn push(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match u8::try_from(payload.len()) {
        Ok(length @ 0..=125) => out.push(0x80 | length),
        Ok(_) | Err(_) => match u16::try_from(payload.len()) {
            Ok(length) => {
                out.push(0x80 | 126);
                out.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                out.push(0x80 | 127);
                out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        },
    }
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    for (index, byte) in out[start..].iter_mut().enumerate() {
        *byte ^= MASK[index % 4];
    }
}

/// The request for an upgrade. `host` is what the server is called.
pub fn upgrade_request(host: &str, path: &str, bearer: Option<&str>) -> String {
    let credential = bearer.map_or(String::new(), |key| {
        format!("Authorization: Bearer {key}\r\n")
    });
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{credential}\r\n"
    )
}

/// Where the head of an HTTP answer ends, if it is there.
pub fn head_end(buffer: &[u8]) -> Option<usize> {
    let at = buffer.windows(4).position(|it| it == b"\r\n\r\n")?;
    Some(at + 4)
}

/// The status of an HTTP answer.
pub fn status_of(head: &[u8]) -> Option<u16> {
    let line = head.strip_prefix(b"HTTP/1.1 ")?;
    std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()
}

/// A socket that waits for what it reads, for the time before a measurement.
pub struct BlockingSocket {
    /// The connection.
    pub stream: TcpStream,
    /// What arrived and was not looked at yet.
    pub buffer: Vec<u8>,
}

impl BlockingSocket {
    /// Connects and asks for the upgrade; [`upgraded`](Self::upgraded) reads the answer.
    pub fn connect(address: SocketAddr, path: &str, bearer: Option<&str>) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HANDSHAKE_WAIT))?;
        let request = upgrade_request(&address.to_string(), path, bearer);
        stream.write_all(request.as_bytes())?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Reads up to the end of the answer's head. Errors: it is not 101.
    pub fn upgraded(&mut self) -> Result<()> {
        let end = loop {
            match head_end(&self.buffer) {
                Some(end) => break end,
                None => self.read()?,
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]);
        ensure!(head.starts_with("HTTP/1.1 101"), "refused: {head}");
        self.buffer.drain(..end);
        Ok(())
    }

    /// Sends one text frame.
    pub fn send(&mut self, text: &str) -> Result<()> {
        let mut out = Vec::new();
        push(&mut out, TEXT, text.as_bytes());
        self.stream.write_all(&out)?;
        Ok(())
    }

    /// Reads up to the first text frame that holds `what`; passes over pings and pongs.
    pub fn expect(&mut self, what: &str) -> Result<()> {
        loop {
            let Some(frame) = parse(&self.buffer) else {
                self.read()?;
                continue;
            };
            let text = String::from_utf8_lossy(&self.buffer[frame.payload.clone()]).into_owned();
            self.buffer.drain(..frame.payload.end);
            if matches!(frame.opcode, PING | PONG) {
                continue;
            }
            ensure!(frame.opcode == TEXT, "{what} expected, got {text}");
            ensure!(!text.contains(r#""type":"error""#), "refused: {text}");
            if text.contains(what) {
                return Ok(());
            }
        }
    }

    fn read(&mut self) -> Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => bail!("the server hung up"),
            count => self.buffer.extend_from_slice(&chunk[..count]),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_when_it_is_whole() {
        for length in [0, 125, 126, 300, 65_536] {
            let mut bytes = vec![0x81];
            match length {
                0..=125 => bytes.push(length as u8),
                126..=65_535 => {
                    bytes.push(126);
                    bytes.extend((length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend((length as u64).to_be_bytes());
                }
            }
            let head = bytes.len();
            bytes.resize(head + length, b'x');
            assert_eq!(parse(&bytes[..bytes.len() - 1]), None, "{length}");
            bytes.push(0x81);
            let whole = BufferedFrame {
                opcode: TEXT,
                payload: head..head + length,
            };
            assert_eq!(parse(&bytes), Some(whole), "{length}");
        }
    }

    #[test]
    fn a_large_frame_says_its_length_in_eight_bytes() {
        let mut out = Vec::new();
        push(&mut out, TEXT, &vec![b'x'; 70_000]);
        assert_eq!(out[..10], [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
        assert_eq!(out.len(), 14 + 70_000);
    }

    #[test]
    fn the_status_of_an_answer_is_read() {
        let head = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\nrest";
        assert_eq!(status_of(head), Some(503));
        assert_eq!(head_end(head), Some(head.len() - 4));
        assert_eq!(
            (status_of(b"nonsense"), head_end(b"HTTP/1.1")),
            (None, None)
        );
    }

    #[test]
    fn a_sent_frame_is_masked() {
        let mut out = Vec::new();
        push(&mut out, PONG, b"abcde");
        assert_eq!(out[..6], [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d]);
        let plain: Vec<u8> = (0..5).map(|at| out[6 + at] ^ MASK[at % 4]).collect();
        assert_eq!(plain, b"abcde");
    }
}
