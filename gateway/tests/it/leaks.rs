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
struct Output(Arc<Mutex<Vec<u8>>>);

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
    for set in [&keys, &wrong] {
        drop(server.open("/ws", Some(&set[0])).await.next().await);
        drop(
            server
                .open(&format!("/ws?token={}", set[1]), None)
                .await
                .next()
                .await,
        );
        let lost = format!(
            "GET /wss?token={} HTTP/1.1\r\nhost: localhost\r\n\r\n",
            set[1]
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
            .ask(json!({"type": "auth", "data": {"apiKey": set[3]}}).to_string())
            .await;
        socket
            .ask(json!({"type": "auth", "data": {"apiKey": set[4], "token": 7}}).to_string())
            .await;
    }
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
    let metrics = server
        .admin("GET", "/metrics", &server.admin_bearer())
        .await
        .body;
    let status = server
        .admin("GET", "/admin/v1/status", &server.admin_bearer())
        .await
        .body;
    server.order("user0", "revoke").await;

    let logged = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("request") && logged.contains("policy changed"),
        "{logged}"
    );
    let all = format!("{logged}{metrics}{status}");
    let secret = std::fs::read_to_string(server.dir.path().join("secret")).unwrap();
    let singles = [
        token,
        protocol,
        server.admin_token.clone(),
        secret.trim().to_owned(),
    ];
    for credential in keys.into_iter().chain(wrong).chain(singles) {
        let tail = &credential[credential.len() - 12..];
        assert!(!all.contains(tail), "{credential} in {all}");
    }
}
