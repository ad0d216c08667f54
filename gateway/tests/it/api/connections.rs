//! Connections that carry several requests, and those that carry nonsense.

use std::time::{Duration, Instant};

use super::{head, lines_of};
use crate::harness::{Server, eventually};

#[tokio::test]
async fn a_connection_is_kept_and_counts_once() {
    let server = Server::start_with(|config| config.sockets_max = 2).await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = server.wire().await;
    let key = server.key("alice");
    for i in 0..3 {
        wire.call(&key, "GET /v1/bots", "").await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
        let body = format!(r#"{{"to":"bot_a","messageId":"m{i}"}}"#);
        wire.call(&key, "POST /v1/messages", &body).await;
        assert_eq!(wire.answer().await.unwrap().status, 202);
        wire.call(&key, "GET /v1/bots/bot_x", "").await;
        wire.answer().await.unwrap().problem("bot_not_found");
        bot.expect("message").await;
    }
    let full = server.call(&key, "GET /v1/bots", "").await;
    assert_eq!(
        full.status, 503,
        "it counts as long as it is open: {full:?}"
    );
    drop(wire);
    eventually("there is room again", || async {
        server.call(&key, "GET /v1/bots", "").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn who_joined_nobody_keeps_no_connection() {
    let server = Server::start().await;
    let key = server.key("alice");
    let wrong = "t2b_alice_0123456789abcdef";
    for (credential, request, status) in [
        (wrong, "GET /v1/bots", 401),
        (&key, "GET /v1/nothing", 404),
        (&key, "POST /v1/bots", 405),
        (&key, "OPTIONS /v1/bots", 204),
        (&key, "GET /v1/openapi.json", 200),
        (&key, "GET /v1/bots?limit=many", 400),
        (wrong, "POST /v1/messages?clientId=-", 401),
        (wrong, "GET /v1/usage?cursor=zz", 401),
        (&key, "POST /v1/messages?waitMs=-1", 400),
    ] {
        let mut wire = server.wire().await;
        wire.call(credential, request, "").await;
        let answer = wire.answer().await.unwrap();
        assert_eq!(answer.status, status, "{request} {answer:?}");
        let is_last = answer.head.contains("connection: close");
        assert!(is_last, "{request} {answer:?}");
        assert!(wire.answer().await.is_none(), "{request}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start().await;
    let mut wire = server.wire().await;
    let lines = lines_of(&server.key("alice"));
    let two = head("GET /v1/bots", &lines, 0) + &head("GET /v1/bots/bot_x", &lines, 0);
    wire.send(two + "\x16\x03 nonsense\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().status, 200);
    wire.answer().await.unwrap().problem("bot_not_found");
    assert_eq!(wire.answer().await.unwrap().status, 400);
    assert!(wire.answer().await.is_none());
    assert_eq!(
        server
            .call(&server.key("alice"), "GET /v1/bots", "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let limit = Duration::from_millis(300);
    let server = Server::start_with(|config| config.handshake_timeout = limit).await;
    let mut wire = server.wire().await;
    let key = server.key("alice");
    for _ in 0..2 {
        wire.call(&key, "GET /v1/bots", "").await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
    }
    let idle = Instant::now();
    // Half of a head is no request.
    wire.send("GET /v1/bots HTTP/1.1\r\n").await;
    assert!(wire.answer().await.is_none());
    assert!(
        (limit / 2..limit * 5).contains(&idle.elapsed()),
        "{:?}",
        idle.elapsed()
    );
    assert_eq!(
        server
            .metric(r#"t2b_handshakes_total{result="failed"}"#)
            .await,
        0.0,
        "its handshake was good"
    );
}

#[tokio::test]
async fn a_wait_outlives_the_time_of_a_handshake() {
    let limit = Duration::from_millis(200);
    let server = Server::start_with(|config| config.handshake_timeout = limit).await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = server.wire().await;
    let path = "POST /v1/messages?waitMs=700";
    wire.call(&server.key("alice"), path, r#"{"to":"bot_a"}"#)
        .await;
    let answer = wire.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.json()["reply"].is_null()),
        (202, true)
    );
    bot.expect("message").await;
    wire.call(&server.key("alice"), "GET /v1/bots", "").await;
    assert_eq!(
        wire.answer().await.unwrap().status,
        200,
        "and its connection is kept"
    );
}

#[tokio::test]
async fn waits_do_not_fill_the_listener() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let mut wires = Vec::new();
    for i in 1..=300 {
        let mut wire = server.wire().await;
        let path = "POST /v1/messages?waitMs=50000";
        wire.call(&server.key("alice"), path, r#"{"to":"bot_a"}"#)
            .await;
        wires.push(wire);
        if i % 100 == 0 {
            eventually("they wait", || async {
                server.metric("t2b_http_waits").await == f64::from(i)
            })
            .await;
        }
    }
    server.client("alice", "phone").await;
}

#[tokio::test]
async fn an_upgrade_among_calls_is_still_an_upgrade() {
    let server = Server::start().await;
    let mut wire = server.wire().await;
    wire.call(&server.key("alice"), "GET /v1/bots", "").await;
    assert_eq!(wire.answer().await.unwrap().status, 200);
    let lines = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    wire.send(head("GET /ws", lines, 0)).await;
    assert_eq!(wire.answer().await.unwrap().status, 101);
}
