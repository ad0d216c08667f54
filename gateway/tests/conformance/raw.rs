//! A client that says exactly the bytes it is told to, right or wrong.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CONT: u8 = 0x0;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;
pub(crate) const FIN: u8 = 0x80;

/// No answer takes this long, whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const HEAD: &str = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// A frame as a server sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

impl Raw {
    /// Sends a request head and returns the status line and headers.
    pub(crate) async fn request(address: SocketAddr, head: &str) -> (Self, String) {
        let mut raw = Self {
            stream: TcpStream::connect(address).await.unwrap(),
        };
        raw.stream.set_nodelay(true).unwrap();
        raw.stream.write_all(head.as_bytes()).await.unwrap();
        raw.stream.write_all(b"\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(
                timeout(PATIENCE, raw.stream.read_u8())
                    .await
                    .unwrap()
                    .unwrap(),
            );
        }
        (raw, String::from_utf8(answer).unwrap())
    }

    pub(crate) async fn open(address: SocketAddr) -> Self {
        let (raw, answer) = Self::request(address, HEAD).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        raw
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn send(&mut self, first: u8, payload: &[u8]) {
        self.bytes(&masked(first, payload)).await;
    }

    /// Reads one frame; `None`: the server ended the stream in order.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.read_frame())
            .await
            .expect("the server says nothing")
    }

    async fn read_frame(&mut self) -> Option<Frame> {
        let mut head = [0; 2];
        if self.stream.read(&mut head[..1]).await.expect("no reset") == 0 {
            return None;
        }
        self.stream.read_exact(&mut head[1..]).await.unwrap();
        assert_eq!(head[1] & 0x80, 0, "a server never masks");
        let length = match head[1] {
            126 => u64::from(self.stream.read_u16().await.unwrap()),
            127 => self.stream.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await.unwrap();
        Some(Frame {
            first: head[0],
            payload,
        })
    }

    pub(crate) async fn expect(&mut self, first: u8, payload: &[u8]) {
        let frame = self.frame().await.expect("a frame");
        assert_eq!((frame.first, &frame.payload[..]), (first, payload));
    }

    /// Expects a Close frame with this code, and then the end of the stream without a reset.
    pub(crate) async fn expect_close(&mut self, code: u16) {
        let frame = self.frame().await.expect("a Close frame");
        assert_eq!(frame.first, FIN | CLOSE, "{frame:?}");
        assert_eq!(
            frame.payload[..2],
            code.to_be_bytes(),
            "{:?}",
            close_text(&frame)
        );
        // A server that still waits for our Close gets it.
        let _ = self
            .stream
            .write_all(&masked(FIN | CLOSE, &code.to_be_bytes()))
            .await;
        assert_eq!(self.frame().await, None);
    }
}

fn close_text(frame: &Frame) -> (u16, String) {
    let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
    (
        code,
        String::from_utf8_lossy(&frame.payload[2..]).into_owned(),
    )
}

/// The head of a frame as a client must send it, of any declared length.
pub(crate) fn masked_head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..65536 => {
            head.push(0x80 | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend([7, 8, 9, 10]);
    head
}

pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = masked_head(first, payload.len() as u64);
    frame.extend(
        payload
            .iter()
            .zip([7, 8, 9, 10].iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}
