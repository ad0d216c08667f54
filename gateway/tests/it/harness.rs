//! A real gateway on free loopback ports, and sockets that speak to it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use gateway::config::Config;
use gateway::{Addresses, Gateway, Shutdown};
use protocol::TenantId;
use router_core::auth::Keyring;
use serde_json::Value;
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
    pub addresses: Addresses,
    pub keyring: Keyring,
    pub admin_token: String,
    pub shutdown: Shutdown,
    pub running: JoinHandle<()>,
    _dir: tempfile::TempDir,
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
        fault: Option<backplane::Fault>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::for_test(dir.path()).unwrap();
        change(&mut config);
        let keyring = config.keyring();
        let admin_token = config.admin_token.as_ref().unwrap().reveal().clone();
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
            _dir: dir,
        }
    }

    pub fn key(&self, user: &str) -> String {
        self.keyring
            .issue_key(&TenantId::parse(user).unwrap(), 0)
            .reveal()
            .clone()
    }

    /// Opens a socket with a header credential and reads its greeting.
    pub async fn client(&self, user: &str, client: &str) -> Socket {
        let mut socket = self
            .open(&format!("/ws?clientId={client}"), Some(&self.key(user)))
            .await;
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

    /// The code of the close that comes next; frames before it are passed over.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Ok(_) => {}
                Err(frame) => return frame.map_or(1006, |frame| frame.code.into()),
            }
        }
    }

    pub async fn greeted(&mut self) {
        assert_eq!(self.expect("status").await["data"]["status"], "connected");
        self.expect("auth_ok").await;
        assert_eq!(self.expect("status").await["data"]["type"], "bots_list");
    }
}
