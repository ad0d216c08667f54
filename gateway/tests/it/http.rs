//! Requests in plain HTTP to either listener, and their answers.

use std::net::SocketAddr;

use fixtures::{HttpAnswer, http_exchange, read_http_answer};
use serde_json::Value;
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

impl From<HttpAnswer> for Answer {
    fn from(HttpAnswer { status, head, body }: HttpAnswer) -> Self {
        Self { status, head, body }
    }
}

/// Sends the bytes and reads to the end of the stream.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let answer = http_exchange(address, request, SOON).await;
    answer.expect("an answer in time").into()
}

/// Reads a response to the end of the stream, or of its head if it is a 101.
pub async fn read_answer(stream: TcpStream) -> Answer {
    let answer = timeout(SOON, read_http_answer(stream)).await;
    answer.expect("an answer in time").into()
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
