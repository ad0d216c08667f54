//! No credential in any output: everything that is logged while all of them are used, searched.

use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use router_core::auth::TokenScope;
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{Server, Socket};
use crate::http::exchange;

#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    /// What was logged so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_credential_is_ever_put_out() {
    let output = Output::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    let subscriber = subscriber.with_writer(output.clone()).finish();
    // One thread serves all of this test, so its own default sees everything.
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start().await;
    let keys: Vec<String> = (0..5).map(|i| server.key(&format!("user{i}"))).collect();
    let wrong: Vec<String> = keys
        .iter()
        .map(|key| format!("{}z", &key[..key.len() - 1]))
        .collect();
    let token = server.token("alice", "phone", TokenScope::Chat, None, 60);
    let protocol = URL_SAFE_NO_PAD.encode(&keys[2]);
    let mut told = String::new();
    for set in [&keys, &wrong] {
        use_everywhere(&server, set).await;
        told += &called(&server, set).await;
    }
    let asked_for = r#"{"client":"phone"}"#;
    let issued = server.call(&keys[0], "POST /v1/tokens", asked_for).await;
    let issued = issued.json()["token"].as_str().unwrap().to_owned();
    told += &called(&server, &vec![issued.clone(); 5]).await;
    let mut request = format!("ws://{}/ws", server.addresses.public)
        .into_client_request()
        .unwrap();
    let offer = format!("t2b.v1, t2b.auth.{protocol}").parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", offer);
    Socket(connect_async(request).await.unwrap().0)
        .greeted()
        .await;
    server.bearer(&token).await;
    let answers = told + &asked(&server).await;

    let logged = output.text();
    for line in [
        "request",
        "policy changed",
        "connected",
        "credential refused",
    ] {
        assert!(logged.contains(line), "{line} is not in {logged}");
    }
    let all = logged + &answers;
    let secret = std::fs::read_to_string(server.dir.path().join("secret")).unwrap();
    let singles = [
        token,
        issued,
        protocol,
        server.admin_token.clone(),
        secret.trim().to_owned(),
    ];
    for credential in keys.into_iter().chain(wrong).chain(singles) {
        let tail = &credential[credential.len() - 12..];
        assert!(!all.contains(tail), "{credential} in {all}");
    }
}

/// Each key in another place, where it may be and where it should not.
async fn use_everywhere(server: &Server, keys: &[String]) {
    drop(server.open("/ws", Some(&keys[0])).await.next().await);
    drop(
        server
            .open(&format!("/ws?token={}", keys[1]), None)
            .await
            .next()
            .await,
    );
    let lost = format!(
        "GET /wss?token={} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        keys[1]
    );
    assert_eq!(
        exchange(server.addresses.public, lost.as_bytes())
            .await
            .status,
        404
    );
    let mut socket = server.open("/ws", None).await;
    socket.expect("status").await;
    socket
        .ask(json!({"type": "auth", "data": {"apiKey": keys[3]}}).to_string())
        .await;
    socket
        .ask(json!({"type": "auth", "data": {"apiKey": keys[4], "token": 7}}).to_string())
        .await;
}

/// What the HTTP API answers to each key, where it may be and where it should not.
async fn called(server: &Server, keys: &[String]) -> String {
    let key = &keys[3];
    let mut told = String::new();
    for (request, body) in [
        ("GET /v1/bots".to_owned(), String::new()),
        (format!("GET /v1/bots/{key}"), String::new()),
        (
            format!("GET /v1/bots?cursor={key}&token={key}"),
            String::new(),
        ),
        (format!("GET /v1/{key}"), String::new()),
        (format!("POST /v1/messages?clientId={key}"), key.clone()),
        (
            "POST /v1/messages".to_owned(),
            json!({"to": key, "text": key}).to_string(),
        ),
        (
            "POST /v1/tokens".to_owned(),
            json!({"client": key, key: 1}).to_string(),
        ),
    ] {
        let answer = server.call(key, &request, &body).await;
        assert!(answer.status >= 200, "{answer:?}");
        told += &format!("{}{}", answer.head, answer.body);
    }
    told
}

/// The answers of the admin API, one of them to an order.
async fn asked(server: &Server) -> String {
    let bearer = server.admin_bearer();
    let metrics = server.admin("GET", "/metrics", &bearer).await.body;
    let status = server.admin("GET", "/admin/v1/status", &bearer).await.body;
    let order = server.order("user0", "revoke").await;
    format!("{metrics}{status}{order}")
}
