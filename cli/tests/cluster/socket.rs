//! One WebSocket that speaks the T2B dialect, frame by frame; it never reconnects.

use std::collections::VecDeque;
use std::time::Duration;

use fixtures::DEADLINE;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

/// How a socket ended: its close code; 1006 without one.
pub type CloseStatus = u16;

pub struct TestSocket {
    ws: WebSocketStream<TcpStream>,
    /// Frames that came while an answer was waited for.
    early: VecDeque<Value>,
    asked: u64,
    /// Pings that came; the library answers them.
    pub pings: u32,
    pub connection_id: String,
}

impl TestSocket {
    /// Connects, gives the credential and reads the greeting. Errors: it was closed, or nobody
    /// listens there.
    pub async fn connect(address: &str, key: &str, client: &str) -> Result<Self, CloseStatus> {
        let opening = Self::open(address, key, client);
        timeout(DEADLINE, opening)
            .await
            .expect("a greeting in time")
    }

    async fn open(address: &str, key: &str, client: &str) -> Result<Self, CloseStatus> {
        let url = format!("ws://{address}/ws?clientId={client}");
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let stream = TcpStream::connect(address).await.map_err(|_| 1006_u16)?;
        stream.set_nodelay(true).map_err(|_| 1006_u16)?;
        let (ws, _) = client_async(request, stream).await.map_err(|_| 1006_u16)?;
        let mut socket = Self {
            ws,
            early: VecDeque::new(),
            asked: 0,
            pings: 0,
            connection_id: String::new(),
        };
        let auth = socket.read("auth_ok").await?;
        socket.connection_id = text_of(&auth["data"]["connectionId"]);
        // The list of bots is the last word of the greeting.
        while socket.read("status").await?["data"]["type"] != "bots_list" {}
        Ok(socket)
    }

    /// The next frame of this type from the wire; others are passed over.
    async fn read(&mut self, kind: &str) -> Result<Value, CloseStatus> {
        loop {
            let frame = self.receive().await?;
            if frame["type"] == kind {
                return Ok(frame);
            }
        }
    }

    /// The next frame from the wire, however long it takes. Cancel safe.
    async fn receive(&mut self) -> Result<Value, CloseStatus> {
        loop {
            match self.ws.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_))) => self.pings += 1,
                Some(Ok(Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    // Our half of the closing handshake is written by the next read.
                    let _ = timeout(Duration::from_secs(1), self.ws.next()).await;
                    return Err(frame.map_or(1006, |frame| frame.code.into()));
                }
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// The next frame, early ones first; waits for it as long as it takes. Cancel safe.
    pub async fn next(&mut self) -> Result<Value, CloseStatus> {
        match self.early.pop_front() {
            Some(frame) => Ok(frame),
            None => self.receive().await,
        }
    }

    /// The first frame of this type; others stay for later.
    pub async fn expect(&mut self, kind: &str) -> Value {
        if let Some(at) = self.early.iter().position(|frame| frame["type"] == kind) {
            return self.early.remove(at).unwrap();
        }
        let wait = async {
            loop {
                match self.receive().await {
                    Ok(frame) if frame["type"] == kind => return frame,
                    Ok(frame) => self.early.push_back(frame),
                    Err(code) => panic!("{kind} expected, closed with {code}"),
                }
            }
        };
        let found = timeout(DEADLINE, wait).await;
        found.unwrap_or_else(|_| panic!("no {kind}, but {:?}", self.early))
    }

    /// The next frames of any type until one is of this; for order.
    pub async fn story_until(&mut self, kind: &str) -> Vec<Value> {
        let mut story = Vec::new();
        let wait = async {
            loop {
                let frame = self.next().await.expect("a frame, not a close");
                let last = frame["type"] == kind;
                story.push(frame);
                if last {
                    return;
                }
            }
        };
        let ended = timeout(DEADLINE, wait).await;
        assert!(ended.is_ok(), "no {kind} after {story:?}");
        story
    }

    /// The close code that it ends with, what comes before passed over.
    pub async fn closed(&mut self) -> CloseStatus {
        let end = async {
            loop {
                if let Err(code) = self.next().await {
                    return code;
                }
            }
        };
        timeout(DEADLINE, end).await.expect("a close in time")
    }

    /// Every frame that is there without waiting for long, `bot_status` left out.
    pub async fn drain(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        while let Ok(frame) = timeout(Duration::from_millis(50), self.next()).await {
            let frame = frame.expect("a frame, not a close");
            if frame["type"] != "bot_status" {
                frames.push(frame);
            }
        }
        frames
    }

    /// Writes a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.try_send(frame).await.unwrap();
    }

    /// Writes a frame. Errors: the socket is closed.
    pub async fn try_send(&mut self, frame: &Value) -> Result<(), CloseStatus> {
        let sent = self.ws.send(Message::text(frame.to_string())).await;
        sent.map_err(|_| 1006)
    }

    /// Takes a frame to be written with the next [`Self::flush`].
    pub async fn feed(&mut self, frame: &Value) {
        self.ws
            .feed(Message::text(frame.to_string()))
            .await
            .unwrap();
    }

    pub async fn flush(&mut self) {
        self.ws.flush().await.unwrap();
    }

    /// Asks and gives the frame that answers.
    pub async fn ask(&mut self, kind: &str, data: Value) -> Value {
        let answer = self.try_ask(kind, data).await;
        answer.unwrap_or_else(|code| panic!("{kind}: closed with {code}"))
    }

    /// As [`Self::ask`]. Errors: it is closed instead.
    pub async fn try_ask(&mut self, kind: &str, data: Value) -> Result<Value, CloseStatus> {
        self.asked += 1;
        let id = format!("ask-{}", self.asked);
        self.try_send(&json!({"type": kind, "data": data, "id": id}))
            .await?;
        let wait = async {
            loop {
                let frame = self.receive().await?;
                if frame["id"] == id.as_str() {
                    return Ok(frame);
                }
                self.early.push_back(frame);
            }
        };
        let answer = timeout(DEADLINE, wait).await;
        answer.unwrap_or_else(|_| panic!("no answer to {kind} {data}"))
    }

    /// Registers a bot, which has to succeed; its epoch.
    pub async fn register(&mut self, bot: &str) -> u64 {
        let answer = self.ask("register_bot", json!({"botId": bot})).await;
        assert_eq!(answer["type"], "bot_registered", "{answer}");
        answer["data"]["epoch"].as_u64().unwrap()
    }

    /// Sends a message; `delivered`, or the reason why not.
    pub async fn say(&mut self, to: &str, text: &str) -> String {
        let answer = self.ask("message", json!({"to": to, "text": text})).await;
        outcome_of(&answer)
    }

    /// The ids of the bots that are online, in order.
    pub async fn bots_online(&mut self) -> Vec<String> {
        let answer = self.ask("list_bots", json!({"limit": 1000})).await;
        let bots = answer["data"]["bots"].as_array().unwrap();
        let online = bots.iter().filter(|bot| bot["status"] == "online");
        online.map(|bot| text_of(&bot["id"])).collect()
    }
}

/// What an ack says, or an error's reason.
pub fn outcome_of(answer: &Value) -> String {
    match answer["type"].as_str() {
        Some("message_ack") => text_of(&answer["data"]["status"]),
        Some("error") => text_of(&answer["data"]["reason"]),
        Some(_) | None => panic!("an ack or an error expected, got {answer}"),
    }
}

/// The text of a member that has to be there.
pub fn text_of(member: &Value) -> String {
    let Some(text) = member.as_str() else {
        panic!("a text expected, got {member}");
    };
    text.to_owned()
}
