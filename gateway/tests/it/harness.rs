//! A real gateway on free loopback ports, and sockets that speak to it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fixtures::until_within;
use futures_util::{SinkExt, StreamExt};
use gateway::config::Config;
use gateway::{Gateway, GatewayShutdown, ListenAddresses, RunError};
use protocol::{BotId, ClientId, TenantId};
use router_core::auth::{Keyring, TokenClaims, TokenScope};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longest wait for anything that must happen.
pub const SOON: Duration = Duration::from_secs(5);

/// A gateway that runs until this is dropped.
pub struct Server {
    pub addresses: ListenAddresses,
    pub keyring: Keyring,
    pub admin_token: String,
    pub shutdown: GatewayShutdown,
    pub running: JoinHandle<Result<(), RunError>>,
    /// Its state directory; whoever holds a clone can start another gateway on it.
    pub dir: Arc<tempfile::TempDir>,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_faulty(change, None).await
    }

    pub async fn start_faulty(
        change: impl FnOnce(&mut Config),
        fault: Option<backplane::StoreFault>,
    ) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), change, fault).await
    }

    pub async fn start_in(
        dir: Arc<tempfile::TempDir>,
        change: impl FnOnce(&mut Config),
        fault: Option<backplane::StoreFault>,
    ) -> Self {
        let mut config = Config::for_test(Path::new(dir.path())).unwrap();
        change(&mut config);
        let keyring = config.keyring();
        let admin_token = config.admin_token.as_ref();
        let admin_token = admin_token
            .map(|token| token.reveal().clone())
            .unwrap_or_default();
        let gateway = match fault {
            None => Gateway::bind(config).await.unwrap(),
            Some(fault) => Gateway::bind_with_fault(config, fault).await.unwrap(),
        };
        let (addresses, shutdown) = (gateway.addresses(), gateway.shutdown_handle());
        let running = tokio::spawn(gateway.run());
        Self {
            addresses,
            keyring,
            admin_token,
            shutdown,
            running,
            dir,
        }
    }

    pub fn key(&self, user: &str) -> String {
        self.keyring
            .issue_key(&TenantId::parse(user).unwrap(), 0)
            .reveal()
            .clone()
    }

    /// A client token of generation 0 that ends in `ttl_s` seconds; negative: it has ended.
    pub fn token(
        &self,
        user: &str,
        client: &str,
        scope: TokenScope,
        bots: Option<&[&str]>,
        ttl_s: i64,
    ) -> String {
        let now_s = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let exp = now_s.saturating_add_signed(ttl_s);
        let claims = TokenClaims {
            tenant: TenantId::parse(user).unwrap(),
            client: ClientId::parse(client).unwrap(),
            scope: vec![scope],
            g: 0,
            iat: exp.min(now_s).saturating_sub(1),
            exp,
            bots: bots.map(|bots| bots.iter().map(|id| BotId::parse(id).unwrap()).collect()),
        };
        self.keyring.issue_token(&claims).reveal().clone()
    }

    /// Opens a socket with a header credential and reads its greeting.
    pub async fn client(&self, user: &str, client: &str) -> Socket {
        let mut socket = self
            .open(&format!("/ws?clientId={client}"), Some(&self.key(user)))
            .await;
        socket.greeted().await;
        socket
    }

    /// Opens a socket with any bearer credential and reads its greeting.
    pub async fn bearer(&self, credential: &str) -> Socket {
        let mut socket = self.open("/ws", Some(credential)).await;
        socket.greeted().await;
        socket
    }

    /// Opens a socket that has registered a bot.
    pub async fn bot(&self, user: &str, bot: &str) -> Socket {
        let mut socket = self.client(user, &format!("{bot}-process")).await;
        socket
            .send(r#"{"type":"register_bot","data":{"botId":"BOT"},"id":"r"}"#.replace("BOT", bot))
            .await;
        socket.expect("bot_registered").await;
        socket
    }

    pub async fn open(&self, path: &str, bearer: Option<&str>) -> Socket {
        let url = format!("ws://{}{path}", self.addresses.public);
        let mut request = url.into_client_request().unwrap();
        if let Some(key) = bearer {
            let value = format!("Bearer {key}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        Socket(
            timeout(SOON, connect_async(request))
                .await
                .unwrap()
                .unwrap()
                .0,
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// One end of a WebSocket.
pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn send(&mut self, text: impl Into<Utf8Bytes>) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next text frame, pings passed over; or how the socket ended.
    pub async fn next(&mut self) -> Result<Value, Option<CloseFrame>> {
        loop {
            match timeout(SOON, self.0.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(Message::Binary(_) | Message::Frame(_)) | Err(_)) | None => {
                    return Err(None);
                }
            }
        }
    }

    /// The next frame, which must be of this type; `bot_status` is passed over unless asked for.
    pub async fn expect(&mut self, kind: &str) -> Value {
        loop {
            let frame = self
                .next()
                .await
                .unwrap_or_else(|end| panic!("{kind} expected, got {end:?}"));
            if frame["type"] == kind {
                return frame;
            }
            assert_eq!(frame["type"], "bot_status", "{kind} expected, got {frame}");
        }
    }

    /// Sends a frame and returns what comes next, `bot_status` passed over.
    pub async fn ask(&mut self, frame: impl Into<Utf8Bytes>) -> Value {
        self.send(frame).await;
        loop {
            let answer = self.next().await.expect("an answer, not a close");
            if answer["type"] != "bot_status" {
                return answer;
            }
        }
    }

    /// Sends a frame that must be refused for this reason; returns the whole `error`.
    pub async fn refused(&mut self, frame: impl Into<Utf8Bytes>, reason: &str) -> Value {
        let error = self.ask(frame).await;
        assert_eq!(error["type"], "error", "{error}");
        assert_eq!(error["data"]["reason"], reason, "{error}");
        error
    }

    /// Sends a message that must be delivered.
    pub async fn tell(&mut self, to: &str, text: &str) {
        let ack = self.ask(message(to, text)).await;
        assert_eq!(ack["data"]["status"], "delivered", "{ack}");
    }

    /// Writes bytes past the WebSocket library.
    pub async fn write_raw(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// The code of the close that comes next; frames before it are passed over.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Ok(_) => {}
                Err(frame) => {
                    // Our half of the closing handshake is written by the next read.
                    let _ = timeout(SOON, self.0.next()).await;
                    return frame.map_or(1006, |frame| frame.code.into());
                }
            }
        }
    }

    /// The status of a bot that the next `bot_status` of it tells.
    pub async fn expect_status(&mut self, bot: &str) -> String {
        loop {
            let told = self.expect("bot_status").await;
            if told["data"]["botId"] == bot {
                return told["data"]["status"].as_str().unwrap().to_owned();
            }
        }
    }

    pub async fn greeted(&mut self) {
        assert_eq!(self.expect("status").await["data"]["status"], "connected");
        self.expect("auth_ok").await;
        assert_eq!(self.expect("status").await["data"]["type"], "bots_list");
    }
}

/// A `message` frame.
pub fn message(to: &str, text: &str) -> String {
    json!({"type": "message", "data": {"to": to, "text": text}, "id": "m"}).to_string()
}

/// A `register_bot` frame.
pub fn register(bot: &str) -> String {
    json!({"type": "register_bot", "data": {"botId": bot}, "id": "r"}).to_string()
}

/// Tries until it is so, or it is too late.
pub async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl FnMut() -> F) {
    within(SOON, what, is_so).await;
}

/// The same, for what takes longer than other things.
pub async fn within<F: Future<Output = bool>>(
    limit: Duration,
    what: &str,
    mut is_so: impl FnMut() -> F,
) {
    until_within(limit, what, async || is_so().await.then_some(())).await;
}

/// A frame of a client as it goes over the wire, with a mask of zeros.
pub fn raw_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        long @ 126..=0xffff => {
            frame.push(0xfe);
            frame.extend((long as u16).to_be_bytes());
        }
        longer => {
            frame.push(0xff);
            frame.extend((longer as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// For tests that send much and are about something else.
pub fn unlimited_rates(limits: &mut protocol::Limits) {
    (limits.bytes_per_second, limits.bytes_burst) = (u32::MAX, u32::MAX);
    (limits.frames_per_second, limits.frames_burst) = (u32::MAX, u32::MAX);
    (limits.messages_per_second, limits.messages_burst) = (u32::MAX, u32::MAX);
}
