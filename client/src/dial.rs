//! From a URL to an authenticated connection: TCP, TLS, upgrade, `auth_ok`.

use std::time::Duration;

use futures_util::StreamExt;
use protocol::connect::{Acks, AuthOk};
use protocol::t2b::frames::{ServerFrame, ServerMessage};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::error::ClientError;
use crate::moved::{ByteActivity, WatchedStream};
use crate::options::ConnectOptions;

pub(crate) type WatchedSocket = WebSocketStream<MaybeTlsStream<WatchedStream<TcpStream>>>;

const EXPECTED: &str = "expected ws://HOST:PORT/ws or wss://…";
/// Largest message from the gateway, bytes: several times what a gateway sends by default.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Opens a connection and waits until the gateway has accepted the credential.
pub(crate) async fn dial(options: &ConnectOptions) -> Result<(WatchedSocket, AuthOk), ClientError> {
    let within = options.timeout;
    tokio::time::timeout(within, open(options))
        .await
        .map_err(|_| ClientError::Timeout)?
}

async fn open(options: &ConnectOptions) -> Result<(WatchedSocket, AuthOk), ClientError> {
    let request = request(options)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let secure = request.uri().scheme_str() == Some("wss");
    let stream = match options.proxy.connect(request.uri()).await? {
        Some(tunnel) => tunnel,
        None => connect(&request).await?,
    };
    let stream = WatchedStream::new(stream);
    let (mut socket, _) = client_async_tls_with_config(request, stream, Some(config), None)
        .await
        .map_err(|error| unopened(&error, secure))?;
    let mut refusal = None;
    loop {
        let text = match socket.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(frame))) => return Err(refusal.unwrap_or(closed(frame, None))),
            Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => continue,
            Some(Err(_)) | None => return Err(refusal.unwrap_or(ClientError::Lost)),
        };
        match serde_json::from_str::<ServerFrame>(&text).map(|frame| frame.message) {
            Ok(ServerMessage::AuthOk(auth)) => return Ok((socket, auth)),
            Ok(ServerMessage::Error(data)) => refusal = Some(ClientError::Refused(Box::new(data))),
            // `status{connected}` and `auth_error` come before; anything else is for later versions.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Connects to the host of the URL.
async fn connect(request: &Request) -> Result<TcpStream, ClientError> {
    let uri = request.uri();
    let expected = || ClientError::Url(EXPECTED.to_owned());
    let host = uri.host().ok_or_else(expected)?;
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("ws")) => 80,
        (None, Some("wss")) => 443,
        (None, _) => return Err(expected()),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = async {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let stream: std::io::Result<TcpStream> = stream.await;
    stream.map_err(|problem| ClientError::Unreachable(problem.to_string()))
}

/// When bytes last moved on a socket.
pub(crate) fn moved(socket: &WatchedSocket) -> Option<ByteActivity> {
    match socket.get_ref() {
        MaybeTlsStream::Plain(stream) => Some(stream.moved()),
        MaybeTlsStream::Rustls(stream) => Some(stream.get_ref().0.moved()),
        // The enum may grow; then only whole frames count.
        _ => None,
    }
}

fn request(options: &ConnectOptions) -> Result<Request, ClientError> {
    let mut url = options.url.clone();
    let mut add = |name: &str, value: &str| {
        let mark = if url.contains('?') { '&' } else { '?' };
        // Ids need no escapes: their alphabet has none of a URL's marks.
        url.push_str(&format!("{mark}{name}={value}"));
    };
    if let Some(client) = &options.client_id {
        add("clientId", client.as_str());
    }
    match options.acks {
        Acks::All => {}
        Acks::Errors => add("acks", "errors"),
    }
    if let Some(right) = of_http(&options.url) {
        return Err(ClientError::Url(format!("use {right}")));
    }
    let expected = || ClientError::Url(EXPECTED.to_owned());
    let mut request = url.into_client_request().map_err(|_| expected())?;
    if !matches!(request.uri().scheme_str(), Some("ws" | "wss")) {
        return Err(expected());
    }
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", options.credential.reveal()))
        .map_err(|_| {
            ClientError::Url("the credential has characters that no header takes".to_owned())
        })?;
    bearer.set_sensitive(true);
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, bearer);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("t2b.v1"));
    Ok(request)
}

/// For a URL of HTTP: that of the same gateway's WebSocket, without its query, which may hold a credential.
fn of_http(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "http" => "ws",
        "https" => "wss",
        _ => return None,
    };
    let port = uri.port().map_or(String::new(), |port| format!(":{port}"));
    let path = match uri.path() {
        "/" => "/ws",
        path => path,
    };
    Some(format!("{scheme}://{}{port}{path}", uri.host()?))
}

/// What a failed TLS handshake means: the peer does not speak TLS at all, or its certificate is not
/// accepted.
fn of_tls(problem: &std::io::Error) -> Option<ClientError> {
    let cause = problem.get_ref();
    let tls = cause.and_then(|cause| cause.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::InvalidMessage(_)) = tls {
        let text = "the port does not speak TLS; try ws:// instead of wss://";
        return Some(ClientError::NoWebSocket(text.to_owned()));
    }
    if let Some(rustls::Error::InvalidCertificate(problem)) = tls {
        return Some(ClientError::Certificate(problem.into()));
    }
    None
}

/// Only kinds and texts of the system: an error of the library may print a whole request.
fn unopened(error: &WsError, secure: bool) -> ClientError {
    match error {
        WsError::Http(response) => ClientError::Upgrade {
            status: response.status().as_u16(),
        },
        WsError::Url(problem) => ClientError::Url(problem.to_string()),
        WsError::Io(problem) => {
            of_tls(problem).unwrap_or_else(|| ClientError::Unreachable(problem.to_string()))
        }
        WsError::Tls(problem) => ClientError::NoWebSocket(format!("TLS: {problem}")),
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Capacity(_)
        | WsError::Protocol(_)
        | WsError::WriteBufferFull(_)
        | WsError::Utf8(_)
        | WsError::AttackAttempt
        | WsError::HttpFormat(_) => ClientError::NoWebSocket(match secure {
            true => "it does not answer as a WebSocket server".to_owned(),
            false => "it does not answer as a WebSocket server; a TLS port needs wss://".to_owned(),
        }),
    }
}

/// The error for a close frame, and what the gateway had said of coming back.
pub(crate) fn closed(frame: Option<CloseFrame>, retry_after: Option<Duration>) -> ClientError {
    match frame {
        Some(frame) => ClientError::Closed {
            code: frame.code.into(),
            reason: frame.reason.to_string(),
            retry_after,
        },
        None => ClientError::Lost,
    }
}
