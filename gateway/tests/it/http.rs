//! Requests in plain HTTP to either listener, and their answers.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{SOON, Server};

/// A response; empty if the peer closed without a word.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Sends the bytes and reads to the end of the stream.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    read_answer(stream).await
}

/// Reads a response to the end of the stream, or of its head if it is a 101.
pub async fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            }
            if bytes.starts_with(b"HTTP/1.1 101") && bytes.windows(4).any(|w| w == b"\r\n\r\n") {
                break;
            }
        }
    };
    timeout(SOON, read).await.expect("an answer in time");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Server {
    /// A request to the admin listener; `headers` are lines with their ends.
    pub async fn admin(&self, method: &str, path: &str, headers: &str) -> Answer {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        exchange(self.addresses.admin, head.as_bytes()).await
    }

    /// The header line of the admin token.
    pub fn admin_bearer(&self) -> String {
        format!("authorization: Bearer {}\r\n", self.admin_token)
    }

    /// `revoke`, `suspend` or `resume`; must be done.
    pub async fn order(&self, tenant: &str, order: &str) -> Value {
        let path = format!("/admin/v1/tenants/{tenant}/{order}");
        let answer = self.admin("POST", &path, &self.admin_bearer()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The value of one series now: its name, with its label if it has one.
    pub async fn metric(&self, series: &str) -> f64 {
        let text = self.admin("GET", "/metrics", "").await.body;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{series} is not in {text}"))
    }
}
