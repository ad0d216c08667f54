//! A client behind a load balancer: a WebSocket or an HTTP request over TLS, from an address of its own.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use fixtures::DEADLINE;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::stage::SITE;

/// A header that no load balancer may pass on as it is.
const FORGED: &str = "203.0.113.7";

/// How and from where a client connects.
#[derive(Clone)]
pub struct ClientPlace {
    /// The load balancer, `IP:PORT`.
    pub front: String,
    pub source: Ipv4Addr,
    pub tls: Arc<ClientConfig>,
    pub key: String,
}

/// What came from a socket.
enum SocketEvent {
    Frame(Value),
    Ping,
    /// The close code; 1006 without one.
    Closed(u16),
}

/// A WebSocket that is read all the time, so that pings are answered.
pub struct ClientSocket {
    sink: SplitSink<WebSocketStream<TlsStream<TcpStream>>, Message>,
    events: mpsc::UnboundedReceiver<SocketEvent>,
    reader: JoinHandle<()>,
    pub pings: u32,
    pub connection: String,
}

impl ClientPlace {
    async fn connect(&self) -> Result<TlsStream<TcpStream>, String> {
        let connecting = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((self.source, 0).into())?;
            let address = self.front.parse().expect("an address");
            let stream = socket.connect(address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(SITE).expect("a name");
            TlsConnector::from(Arc::clone(&self.tls))
                .connect(name, stream)
                .await
        };
        connecting.await.map_err(|error| format!("TLS: {error}"))
    }

    /// Opens a WebSocket and reads the greeting. Errors: what went wrong, or it took longer than `within`.
    pub async fn open(&self, client: &str, within: Duration) -> Result<ClientSocket, String> {
        let opening = timeout(within, self.open_now(client)).await;
        opening.unwrap_or_else(|_| Err("no greeting in time".to_owned()))
    }

    async fn open_now(&self, client: &str) -> Result<ClientSocket, String> {
        let url = format!("wss://{SITE}/ws?clientId={client}");
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {}", self.key).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let forged = FORGED.parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", forged);
        let stream = self.connect().await?;
        let opened = client_async(request, stream).await;
        let (ws, _) = opened.map_err(|error| format!("upgrade: {error}"))?;
        let (sink, mut stream) = ws.split();
        let (told, events) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            loop {
                let event = match stream.next().await {
                    Some(Ok(Message::Text(text))) => {
                        SocketEvent::Frame(serde_json::from_str(&text).unwrap())
                    }
                    Some(Ok(Message::Ping(_))) => SocketEvent::Ping,
                    Some(Ok(Message::Close(frame))) => {
                        SocketEvent::Closed(frame.map_or(1006, |it| it.code.into()))
                    }
                    Some(Ok(Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => continue,
                    Some(Err(_)) | None => SocketEvent::Closed(1006),
                };
                let is_last = matches!(event, SocketEvent::Closed(_));
                if told.send(event).is_err() || is_last {
                    return;
                }
            }
        });
        let mut socket = ClientSocket {
            sink,
            events,
            reader,
            pings: 0,
            connection: String::new(),
        };
        let auth = socket.next_of("auth_ok").await?;
        let connection = auth["data"]["connectionId"].as_str().expect("a text");
        socket.connection = connection.to_owned();
        Ok(socket)
    }

    /// `POST /v1/messages` of this body; the status and the body of the answer.
    pub async fn post(&self, query: &str, body: &Value) -> Result<(u16, String), String> {
        let mut stream = self.connect().await?;
        let (key, body) = (&self.key, body.to_string());
        let length = body.len();
        let request = format!(
            "POST /v1/messages?{query} HTTP/1.1\r\nHost: {SITE}\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let wrote = stream.write_all(request.as_bytes()).await;
        wrote.map_err(|error| format!("request: {error}"))?;
        let mut bytes = Vec::new();
        // Some end TLS without saying so. What came before is the answer.
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
        let status = status.ok_or_else(|| format!("no status: {text:?}"))?;
        Ok((status, body.to_owned()))
    }
}

impl ClientSocket {
    /// The next frame of this type; others are passed over. Errors: it was closed.
    pub async fn next_of(&mut self, kind: &str) -> Result<Value, String> {
        self.next_where(kind, |frame| frame["type"] == kind).await
    }

    async fn next_where(
        &mut self,
        what: &str,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let wait = async {
            loop {
                match self.events.recv().await.expect("a close is the last") {
                    SocketEvent::Frame(frame) if is_wanted(&frame) => return Ok(frame),
                    SocketEvent::Frame(_) => {}
                    SocketEvent::Ping => self.pings += 1,
                    SocketEvent::Closed(code) => return Err(format!("{what}: closed with {code}")),
                }
            }
        };
        let found = timeout(DEADLINE, wait).await;
        found.unwrap_or_else(|_| Err(format!("{what}: nothing came")))
    }

    /// Sends a frame and waits for its answer. Errors: it was closed.
    pub async fn ask(&mut self, kind: &str, data: Value) -> Result<Value, String> {
        let id = fastrand::u64(..).to_string();
        let frame = json!({"type": kind, "data": data, "id": id});
        let sent = self.sink.send(Message::text(frame.to_string())).await;
        sent.map_err(|error| format!("{kind}: {error}"))?;
        self.next_where(kind, |frame| frame["id"] == id.as_str())
            .await
    }

    /// Waits for its end, at most for so long; the close code, 1006 without one.
    pub async fn closed(&mut self, within: Duration) -> Option<u16> {
        let wait = async {
            loop {
                match self.events.recv().await? {
                    SocketEvent::Closed(code) => return Some(code),
                    SocketEvent::Ping => self.pings += 1,
                    SocketEvent::Frame(_) => {}
                }
            }
        };
        timeout(within, wait).await.ok().flatten()
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
