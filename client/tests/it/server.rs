//! A gateway by hand: it accepts, and says what it is told to say.

use std::time::Duration;

use client::{Client, ClientError, ClientEvent, ConnectOptions, EventStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(20);
const CONNECTION: &str = "conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC";

/// Waits for something that must happen.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it happens in time")
}

pub struct ScriptedServer(TcpListener);

impl ScriptedServer {
    pub async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn options(&self) -> ConnectOptions {
        let url = format!("ws://{}/ws", self.0.local_addr().unwrap());
        ConnectOptions::new(url, "t2b_alice_0123456789abcdef".to_owned().into())
    }

    /// The next connection, upgraded and greeted, and what its upgrade asked for.
    pub async fn accept_raw(&self) -> (ScriptedPeer, String) {
        let (stream, _) = soon(self.0.accept()).await.unwrap();
        let mut asked = String::new();
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let upgrade = |request: &Request, mut response: Response| {
            let bearer = request.headers()["authorization"].to_str().unwrap();
            asked = format!("{} {bearer}", request.uri());
            let protocol = HeaderValue::from_static("t2b.v1");
            let headers = response.headers_mut();
            headers.insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        let mut peer = ScriptedPeer(soon(accept_hdr_async(stream, upgrade)).await.unwrap());
        peer.say(json!({"type": "status", "timestamp": 1, "data":
            {"status": "connected", "connectionId": CONNECTION, "timestamp": 1}}))
            .await;
        (peer, asked)
    }

    /// The next connection, its request answered with `bytes` and closed: what stands before a gateway
    /// that restarts.
    pub async fn answer_instead(&self, bytes: &[u8]) {
        let (mut stream, _) = soon(self.0.accept()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(stream.read_u8()).await.unwrap());
        }
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
    }

    /// The next connection, authenticated; it pings every `heartbeat_ms`, so it says.
    pub async fn accept(&self, heartbeat_ms: u64) -> ScriptedPeer {
        let (mut peer, _) = self.accept_raw().await;
        peer.say(json!({"type": "auth_ok", "timestamp": 1, "data": {
            "userId": "alice", "sessionId": CONNECTION, "connectionId": CONNECTION,
            "clientId": "client_alice", "botCount": 0, "heartbeatMs": heartbeat_ms,
            "features": ["message"],
            "limits": {"frameBytes": 262144, "messagesPerSecond": 5000}}}))
            .await;
        peer
    }

    /// A client and the connection it made.
    pub async fn connected(&self) -> (Client, EventStream, ScriptedPeer) {
        let (connected, peer) = tokio::join!(Client::connect(self.options()), self.accept(25_000));
        let (client, mut events) = connected.unwrap();
        assert!(matches!(next(&mut events).await, ClientEvent::Connected(_)));
        (client, events, peer)
    }
}

pub async fn next(events: &mut EventStream) -> ClientEvent {
    soon(events.next()).await.expect("the client lives")
}

pub struct ScriptedPeer(WebSocketStream<TcpStream>);

impl ScriptedPeer {
    pub async fn say(&mut self, frame: Value) {
        self.say_text(&frame.to_string()).await;
    }

    /// A frame as it stands: also one that no JSON library would write.
    pub async fn say_text(&mut self, frame: &str) {
        self.0.send(Message::text(frame)).await.unwrap();
    }

    /// The next text frame.
    pub async fn hear(&mut self) -> Value {
        loop {
            match soon(self.0.next()).await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other @ (Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => {
                    panic!("not a text: {other:?}")
                }
            }
        }
    }

    /// The next text frame, answered with `type` and `data` under its id.
    pub async fn answer(&mut self, kind: &str, data: Value) -> Value {
        let asked = self.hear().await;
        self.say(json!({"type": kind, "data": data, "id": asked["id"], "timestamp": 1}))
            .await;
        asked
    }

    /// The stream under it, for bytes that are no whole frame.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.0.get_mut()
    }

    pub async fn close(mut self, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        self.0.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = soon(self.0.next()).await {}
    }

    /// Whether the client closes in order from here on.
    pub async fn sees_a_close(mut self) -> bool {
        matches!(soon(self.0.next()).await, Some(Ok(Message::Close(_))))
    }
}

pub fn refusal(reason: &str, code: u16, retry_after_ms: Option<u64>) -> Value {
    let mut data = json!({"code": code, "reason": reason, "message": reason,
        "retryable": matches!(code, 429 | 503)});
    if let Some(ms) = retry_after_ms {
        data["retryAfterMs"] = ms.into();
    }
    data
}

pub fn reason(error: &ClientError) -> &str {
    error.reason()
}
