//! From a URL to an authenticated connection: TCP, TLS, upgrade, `auth_ok`.

use std::time::Duration;

use futures_util::StreamExt;
use protocol::connect::{Acks, AuthOk};
use protocol::frame::{ServerFrame, ServerMessage};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::error::Error;
use crate::options::Options;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Largest message from the gateway, bytes: several times what a gateway sends by default.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Opens a connection and waits until the gateway has accepted the credential.
pub(crate) async fn dial(options: &Options) -> Result<(Socket, AuthOk), Error> {
    let within = options.timeout;
    tokio::time::timeout(within, open(options))
        .await
        .map_err(|_| Error::Timeout)?
}

async fn open(options: &Options) -> Result<(Socket, AuthOk), Error> {
    let request = request(options)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let (mut socket, _) = connect_async_with_config(request, Some(config), true)
        .await
        .map_err(|error| unopened(&error))?;
    let mut refusal = None;
    loop {
        let text = match socket.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(frame))) => return Err(refusal.unwrap_or(closed(frame, None))),
            Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => continue,
            Some(Err(_)) | None => return Err(refusal.unwrap_or(Error::Lost)),
        };
        match serde_json::from_str::<ServerFrame>(&text).map(|frame| frame.message) {
            Ok(ServerMessage::AuthOk(auth)) => return Ok((socket, auth)),
            Ok(ServerMessage::Error(data)) => refusal = Some(Error::Refused(data.into())),
            // `status{connected}` and `auth_error` come before; anything else is for later versions.
            Ok(_) | Err(_) => {}
        }
    }
}

fn request(options: &Options) -> Result<Request, Error> {
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
    let mut request = url
        .into_client_request()
        .map_err(|_| Error::Url("expected ws://HOST:PORT/ws or wss://…".to_owned()))?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", options.credential.reveal()))
        .map_err(|_| Error::Url("the credential has characters that no header takes".to_owned()))?;
    bearer.set_sensitive(true);
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, bearer);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("t2b.v1"));
    Ok(request)
}

/// Only kinds and texts of the system: an error of the library may print a whole request.
fn unopened(error: &WsError) -> Error {
    match error {
        WsError::Http(response) => Error::Upgrade {
            status: response.status().as_u16(),
        },
        WsError::Url(problem) => Error::Url(problem.to_string()),
        WsError::Io(problem) => Error::Unreachable(problem.to_string()),
        WsError::Tls(problem) => Error::Unreachable(format!("TLS: {problem}")),
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Capacity(_)
        | WsError::Protocol(_)
        | WsError::WriteBufferFull(_)
        | WsError::Utf8(_)
        | WsError::AttackAttempt
        | WsError::HttpFormat(_) => {
            Error::Unreachable("it does not answer as a WebSocket server".to_owned())
        }
    }
}

/// The error for a close frame, and what the gateway had said of coming back.
pub(crate) fn closed(frame: Option<CloseFrame>, retry_after: Option<Duration>) -> Error {
    match frame {
        Some(frame) => Error::Closed {
            code: frame.code.into(),
            reason: frame.reason.to_string(),
            retry_after,
        },
        None => Error::Lost,
    }
}
