//! The same over TLS, with a certificate made for the test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use gateway::config::TlsFiles;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::Server;
use crate::http::read_answer;

async fn start(handshake_timeout: Duration) -> (Server, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let write = |name: &str, text: String| {
        let path = Path::new(dir.path()).join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tls = TlsFiles {
        cert: write("cert.pem", made.cert.pem()),
        key: write("key.pem", made.signing_key.serialize_pem()),
        client_ca: None,
    };
    let change = |config: &mut gateway::config::Config| {
        config.tls = Some(tls);
        config.handshake_timeout = handshake_timeout;
    };
    let server = Server::start_in(Arc::clone(&dir), change, None).await;
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(made.cert.der().to_vec()))
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, TlsConnector::from(Arc::new(client)))
}

async fn open(server: &Server, tls: &TlsConnector) -> WebSocketStream<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(server.addresses.public).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tls.connect(name, tcp).await.unwrap();
    let mut request = "wss://localhost/ws".into_client_request().unwrap();
    let bearer = format!("Bearer {}", server.key("alice")).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    client_async(request, stream).await.unwrap().0
}

#[tokio::test]
async fn the_end_of_the_certificate_is_told() {
    let (server, _) = start(Duration::from_secs(5)).await;
    // rcgen's certificates are valid until 4096-01-01.
    let expiry_s = server
        .metric(r#"t2b_tls_expiry_timestamp_seconds{listener="public"} "#)
        .await;
    assert_eq!(expiry_s, 67_090_118_400.0);
}

#[tokio::test]
async fn large_messages_go_both_ways() {
    let (server, tls) = start(Duration::from_secs(5)).await;
    let mut socket = open(&server, &tls).await;
    let register = r#"{"type":"register_bot","data":{"botId":"bot_a"}}"#;
    socket.send(Message::text(register)).await.unwrap();
    let text = "x".repeat(200 * 1024);
    let to_itself = crate::harness::message("bot_a", &text);
    let mut seen = Vec::new();
    while !seen.contains(&"message_ack".to_owned()) {
        // Before that it may not be there yet.
        if seen.last().is_some_and(|last| last == "bot_registered") {
            let to_itself = Message::text(to_itself.clone());
            socket.send(to_itself).await.unwrap();
        }
        let frame = socket.next().await.unwrap().unwrap();
        let Message::Text(frame) = frame else {
            continue;
        };
        let frame: Value = serde_json::from_str(&frame).unwrap();
        if frame["type"] == "message" {
            assert_eq!(frame["data"]["text"], text);
        }
        seen.push(frame["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        seen,
        [
            "status",
            "auth_ok",
            "status",
            "bot_registered",
            "message",
            "message_ack"
        ]
    );
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_cut_off() {
    let (server, tls) = start(Duration::from_millis(300)).await;
    let silent = TcpStream::connect(server.addresses.public).await.unwrap();
    assert_eq!(read_answer(silent).await.head, "");
    open(&server, &tls).await;
}

#[tokio::test]
async fn a_certificate_that_is_not_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = gateway::config::Config::for_test(dir.path()).unwrap();
    let missing = dir.path().join("missing.pem");
    config.tls = Some(TlsFiles {
        cert: missing.clone(),
        key: missing,
        client_ca: None,
    });
    let error = gateway::Gateway::bind(config)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("TLS: ") && error.contains("missing.pem"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_that_is_taken_slowly_arrives_whole() {
    let (server, tls) = start(Duration::from_millis(500)).await;
    let mut bot = open(&server, &tls).await;
    let register = r#"{"type":"register_bot","data":{"botId":"bot_a"}}"#;
    bot.send(Message::text(register)).await.unwrap();
    let tcp = crate::slow_http::narrow(&server).await;
    let name = ServerName::try_from("localhost").unwrap();
    let mut wire = tls.connect(name, tcp).await.unwrap();
    let lines = crate::api::lines_of(&server.key("alice"));
    let body = r#"{"to":"bot_a","text":"hello","messageId":"m"}"#;
    let path = "POST /v1/messages?waitMs=50000&clientId=script";
    let head = crate::api::head(path, &lines, body.len());
    // Before that it may not be there yet.
    next_of(&mut bot, "bot_registered").await;
    wire.write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    wire.flush().await.unwrap();
    next_of(&mut bot, "message").await;
    for part in 1..=4 {
        let text = "x".repeat(230 * 1024);
        let data = json!({"to": "script", "from": "bot_a", "replyTo": "m", "text": text, "part": part, "parts": 4});
        let frame = json!({"type": "message", "data": data}).to_string();
        bot.send(Message::text(frame)).await.unwrap();
        next_of(&mut bot, "message_ack").await;
    }
    let all = crate::slow_http::read_slowly(&mut wire, 920 * 1024).await;
    assert!(all.len() >= 920 * 1024, "cut after {} bytes", all.len());
}

/// The next frame of this type; others are passed over.
async fn next_of(socket: &mut WebSocketStream<TlsStream<TcpStream>>, kind: &str) -> Value {
    loop {
        let frame = socket.next().await.unwrap().unwrap();
        let Message::Text(frame) = frame else {
            continue;
        };
        let frame: Value = serde_json::from_str(&frame).unwrap();
        assert_ne!(frame["type"], "error", "{frame}");
        if frame["type"] == kind {
            return frame;
        }
    }
}
