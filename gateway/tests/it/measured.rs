//! What a node measures: how long messages took, how much it wrote.

use crate::harness::{Server, unlimited_rates};
use crate::http::exchange;

/// As many that a random 1 in 64 of them is none in one of a million runs.
const MESSAGES: usize = 900;

#[tokio::test]
async fn some_messages_of_a_node_are_measured() {
    let server = Server::start_with(|config| {
        unlimited_rates(&mut config.limits);
    })
    .await;
    let mut phone = server.client("alice", "phone").await;
    let mut bot = server.bot("alice", "bot_a").await;
    for _ in 0..MESSAGES {
        phone.tell("bot_a", "hi").await;
        bot.expect("message").await;
    }
    let counted = |path: &str| {
        let name = format!("t2b_message_seconds_count{{path=\"{path}\"}}");
        let server = &server;
        async move { server.metric(&name).await }
    };
    let local = counted("local").await;
    assert!((1.0..60.0).contains(&local), "{local} of {MESSAGES}");
    assert_eq!(counted("remote").await, 0.0);
}

#[tokio::test]
async fn what_is_written_to_sockets_is_counted() {
    let server = Server::start().await;
    let mut phone = server.client("alice", "phone").await;
    let before = server.metric("t2b_sent_bytes_total").await;
    // An answer of 126 to 65,535 bytes has a head of 4.
    let answer = phone.ask(r#"{"type":"list_bots","id":"1"}"#).await;
    let payload = serde_json::to_string(&answer).unwrap().len() as f64;
    let head = if payload < 126.0 { 2.0 } else { 4.0 };
    let after = server.metric("t2b_sent_bytes_total").await;
    assert_eq!(after - before, head + payload);
}

#[tokio::test]
async fn requests_over_http_are_measured_by_route() {
    let server = Server::start().await;
    let key = server.key("alice");
    for path in ["/v1/bots", "/v1/bots/bot_a"] {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        );
        exchange(server.addresses.public, head.as_bytes()).await;
    }
    for route in ["/v1/bots", "/v1/bots/{id}"] {
        let name = format!("t2b_http_seconds_count{{route=\"{route}\"}}");
        assert_eq!(server.metric(&name).await, 1.0, "{route}");
    }
    assert_eq!(server.metric("t2b_connect_seconds_count").await, 0.0);
}
