//! The HTTP API as programs meet it.

mod connections;
mod counted;
mod messages;
mod pages;
mod refusals;
mod tokens;
mod waits;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{SOON, Server, Socket};
use crate::http::{Answer, exchange};

impl Server {
    /// One request to the API on a connection of its own; `lines` are header lines with their ends.
    pub async fn api(&self, request: &str, lines: &str, body: &str) -> Answer {
        let head = head(
            request,
            &format!("connection: close\r\n{lines}"),
            body.len(),
        );
        exchange(self.addresses.public, format!("{head}{body}").as_bytes()).await
    }

    /// The same with a credential and a JSON body.
    pub async fn call(&self, credential: &str, request: &str, body: &str) -> Answer {
        self.api(request, &lines_of(credential), body).await
    }

    /// A connection that stays open.
    pub async fn wire(&self) -> Wire {
        let stream = TcpStream::connect(self.addresses.public).await.unwrap();
        Wire {
            stream,
            read: Vec::new(),
        }
    }
}

/// The head of a request with a body of that size.
pub fn head(request: &str, lines: &str, bytes: usize) -> String {
    format!("{request} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {bytes}\r\n{lines}\r\n")
}

/// The header lines of a call with a JSON body.
pub fn lines_of(credential: &str) -> String {
    format!("authorization: Bearer {credential}\r\ncontent-type: application/json\r\n")
}

/// One kept-alive connection.
pub struct Wire {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// A call with a credential and a JSON body.
    pub async fn call(&mut self, credential: &str, request: &str, body: &str) {
        let head = head(request, &lines_of(credential), body.len());
        self.send(format!("{head}{body}")).await;
    }

    /// The next answer; none if the peer closed without a word.
    pub async fn answer(&mut self) -> Option<Answer> {
        timeout(SOON, self.read_answer()).await.expect("in time")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        loop {
            if let Some(answer) = self.whole() {
                return Some(answer);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(bytes) => self.read.extend_from_slice(&buffer[..bytes]),
            }
        }
    }

    fn whole(&mut self) -> Option<Answer> {
        let text = String::from_utf8_lossy(&self.read).into_owned();
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1);
        let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        let body = rest.get(..length)?.to_owned();
        self.read.drain(..head.len() + 4 + length);
        Some(Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: lower,
            body,
        })
    }
}

impl Answer {
    /// Must be a problem of this reason, worded as the table has it; returns it.
    pub fn problem(&self, reason: &str) -> Value {
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["reason"], reason, "{self:?}");
        let code = protocol::ErrorCode::ALL
            .iter()
            .find(|code| code.reason() == reason)
            .unwrap();
        assert_eq!(problem["type"], format!("urn:t2b:error:{reason}"));
        assert_eq!(problem["title"], code.text());
        assert_eq!(problem["status"], self.status);
        assert_eq!(self.status, code.status());
        assert_eq!(problem["retryable"], code.retryable());
        let retry = self.head.contains("retry-after: ");
        assert_eq!(problem["retryAfterMs"].is_u64(), retry, "{self:?}");
        problem
    }
}

/// Answers the next message that a bot gets with these `data`, each of which must be delivered.
pub async fn reply(bot: &mut Socket, datas: impl FnOnce(&Value) -> Vec<Value>) -> Value {
    let asked = bot.expect("message").await["data"].clone();
    for data in datas(&asked) {
        let ack = say(bot, data).await;
        assert_eq!(ack["data"]["status"], "delivered", "{ack}");
    }
    asked
}

/// What a bot is answered on this `data`.
pub async fn say(bot: &mut Socket, data: Value) -> Value {
    bot.ask(json!({"type": "message", "data": data, "id": "r"}).to_string())
        .await
}
