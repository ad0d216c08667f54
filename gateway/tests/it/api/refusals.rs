//! Every way to be refused, before and after the credential.

use std::time::Duration;

use serde_json::json;

use super::{head, lines_of};
use crate::harness::Server;
use crate::http::exchange;

#[tokio::test]
async fn a_head_is_judged_before_the_body() {
    let server = Server::start().await;
    let key = format!("authorization: Bearer {}\r\n", server.key("alice"));
    let basic = "authorization: Basic eDp5\r\n";
    let wrong = "authorization: Bearer t2b_alice_0123456789abcdef\r\n";
    for (request, lines, reason) in [
        ("GET /v1/", "", "not_found"),
        ("GET /v1/bot", &key, "not_found"),
        ("GET /v1/bots/", &key, "not_found"),
        ("GET /v1/bots/a/b", &key, "not_found"),
        ("POST /v1/bots", &key, "method_not_allowed"),
        ("GET /v1/messages", &key, "method_not_allowed"),
        ("DELETE /v1/bots/bot_a", &key, "method_not_allowed"),
        ("GET /v1/bots", "", "unauthorized"),
        ("GET /v1/bots", basic, "unauthorized"),
        ("GET /v1/bots", wrong, "unauthorized"),
        ("POST /v1/messages", "", "unauthorized"),
        ("GET /v1/bots?limit=0", &key, "bad_request"),
        ("GET /v1/bots?limit=1001", &key, "bad_request"),
        ("GET /v1/bots?limit=many", &key, "bad_request"),
        ("GET /v1/bots?cursor=-", &key, "invalid_id"),
        ("GET /v1/bots/-", &key, "invalid_id"),
        ("GET /v1/bots/%FF", &key, "invalid_id"),
        ("GET /v1/bots/bot_a", &key, "bot_not_found"),
        ("POST /v1/messages", &key, "unsupported_media_type"),
        ("POST /v1/tokens", &key, "unsupported_media_type"),
    ] {
        let refused = server.api(request, lines, "").await;
        refused.problem(reason);
        let has = |line: &str| refused.head.contains(line);
        assert_eq!(refused.status == 405, has("\r\nallow: "), "{refused:?}");
        let asks = has("www-authenticate: bearer");
        assert_eq!(refused.status == 401, asks, "{refused:?}");
        assert!(has("x-content-type-options: nosniff"), "{refused:?}");
    }
    let query = format!("GET /v1/bots?token={}", server.key("alice"));
    server.api(&query, "", "").await.problem("unauthorized");
    let head = server.api("HEAD /v1/messages", &key, "").await;
    assert_eq!((head.status, head.body.as_str()), (405, ""));
}

#[tokio::test]
async fn a_message_over_http_is_checked_as_on_a_socket() {
    let server = Server::start().await;
    let key = server.key("alice");
    for (query, body, reason) in [
        ("", "", "bad_frame"),
        ("", "[]", "bad_frame"),
        ("", r#"{"to":"a"},"id":"x""#, "bad_frame"),
        ("", r#"{"to":"a","to":"b"}"#, "bad_frame"),
        ("", "{}", "missing_field"),
        ("", r#"{"to":"-"}"#, "invalid_id"),
        ("", r#"{"to":"a","from":"b"}"#, "not_your_identity"),
        ("", r#"{"to":"a","durable":true}"#, "not_supported"),
        ("", r#"{"to":"a"}"#, "bot_not_found"),
        ("?clientId=-", r#"{"to":"a"}"#, "invalid_id"),
        ("?waitMs=-1", r#"{"to":"a"}"#, "bad_request"),
        ("?waitMs=49999", r#"{"to":"a"}"#, "bot_not_found"),
        ("?waitMs=50000", r#"{"to":"a"}"#, "bot_not_found"),
        ("?waitMs=50001", r#"{"to":"a"}"#, "bad_request"),
    ] {
        let path = format!("POST /v1/messages{query}");
        server.call(&key, &path, body).await.problem(reason);
    }
    for (kind, reason) in [
        ("Application/JSON; charset=utf-8", "bot_not_found"),
        ("text/json", "unsupported_media_type"),
        ("application/jsonp", "unsupported_media_type"),
    ] {
        let lines = format!("authorization: Bearer {key}\r\ncontent-type: {kind}\r\n");
        let told = server
            .api("POST /v1/messages", &lines, r#"{"to":"a"}"#)
            .await;
        told.problem(reason);
    }
    let mut wire = server.wire().await;
    wire.send(head("POST /v1/messages", &lines_of(&key), 3))
        .await;
    wire.send(b"{\"\xff").await;
    wire.answer().await.unwrap().problem("bad_frame");
}

#[tokio::test]
async fn hosts_are_judged_as_for_sockets() {
    let server =
        Server::start_with(|config| config.allowed_hosts = vec!["bots.example".parse().unwrap()])
            .await;
    for (hosts, status) in [
        ("host: 127.0.0.1:3000\r\n", 200),
        ("host: bots.example\r\n", 200),
        ("host: rebound.example\r\n", 421),
        ("host: a\r\nhost: b\r\n", 400),
        ("", 400),
    ] {
        let head = format!("GET /v1/openapi.json HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        let answer = exchange(server.addresses.public, head.as_bytes()).await;
        assert_eq!(answer.status, status, "{hosts} {answer:?}");
        match status {
            421 => drop(answer.problem("misdirected")),
            400 => drop(answer.problem("bad_request")),
            _ => assert_eq!(answer.json()["openapi"], "3.1.0"),
        }
    }
}

#[tokio::test]
async fn a_body_may_be_as_large_as_a_frame() {
    let limit = 4096;
    let server = Server::start_with(|config| config.limits.frame_bytes = 4096).await;
    let mut bot = server.bot("alice", "bot_a").await;
    let key = server.key("alice");
    let frame = r#"{"to":"bot_a","text":""}"#;
    for (bytes, status) in [(limit - 1, 202), (limit, 202), (limit + 1, 413)] {
        let body = frame.replace(
            r#""""#,
            &format!(r#""{}""#, "x".repeat(bytes - frame.len())),
        );
        assert_eq!(body.len(), bytes);
        let declared = server.call(&key, "POST /v1/messages", &body).await;
        assert_eq!(declared.status, status, "{bytes}");
        let chunks = body.as_bytes().chunks(1000);
        let chunks = chunks.map(|chunk| {
            format!(
                "{:x}\r\n{}\r\n",
                chunk.len(),
                str::from_utf8(chunk).unwrap()
            )
        });
        let lines = lines_of(&key);
        let request = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n{lines}\r\n{}0\r\n\r\n",
            chunks.collect::<String>()
        );
        let chunked = exchange(server.addresses.public, request.as_bytes()).await;
        assert_eq!(chunked.status, status, "{bytes}");
        if status == 413 {
            declared.problem("too_large");
            chunked.problem("too_large");
        } else {
            bot.expect("message").await;
            bot.expect("message").await;
        }
    }
    // Before a byte of it is sent.
    let mut wire = server.wire().await;
    wire.send(head("POST /v1/messages", &lines_of(&key), 1 << 40))
        .await;
    wire.answer().await.unwrap().problem("too_large");
}

#[tokio::test]
async fn bodies_under_way_share_their_tenants_budget() {
    let server = Server::start_with(|config| config.limits.assembly_bytes_per_tenant = 3000).await;
    let _bot = server.bot("alice", "bot_a").await;
    let key = server.key("alice");
    let mut slow = server.wire().await;
    slow.send(head("POST /v1/messages", &lines_of(&key), 2500))
        .await;
    slow.send("x".repeat(2000)).await;
    crate::harness::eventually("half of it is here", || async {
        server.metric("t2b_assembly_bytes").await == 2000.0
    })
    .await;
    let body = format!(r#"{{"to":"bot_a","text":"{}"}}"#, "x".repeat(1000));
    server
        .call(&key, "POST /v1/messages", &body)
        .await
        .problem("quota_exceeded");
    drop(slow);
    crate::harness::eventually("its room is given back", || async {
        server.metric("t2b_assembly_bytes").await == 0.0
    })
    .await;
    assert_eq!(
        server.call(&key, "POST /v1/messages", &body).await.status,
        202
    );
}

#[tokio::test]
async fn a_slow_body_is_told_so() {
    let limit = Duration::from_millis(300);
    let server = Server::start_with(|config| config.handshake_timeout = limit).await;
    let mut wire = server.wire().await;
    wire.send(head(
        "POST /v1/messages",
        &lines_of(&server.key("alice")),
        100,
    ))
    .await;
    wire.send("{").await;
    wire.answer().await.unwrap().problem("request_timeout");
    assert!(wire.answer().await.is_none());
}

#[tokio::test]
async fn failed_credentials_are_counted_as_on_sockets() {
    let server = Server::start().await;
    for _ in 0..10 {
        let refused = server
            .call("t2b_alice_0123456789abcdef", "GET /v1/bots", "")
            .await;
        refused.problem("unauthorized");
    }
    let wrong = "t2b_alice_0123456789abcdef";
    let throttled = server.call(wrong, "GET /v1/bots", "").await;
    throttled.problem("rate_limited");
    let mut socket = server.open("/ws", Some(wrong)).await;
    assert_eq!(
        socket.closed().await,
        4429,
        "one count for HTTP and WebSockets"
    );
    for user in ["alice", "bob"] {
        let good = server.call(&server.key(user), "GET /v1/bots", "").await;
        assert_eq!(good.status, 200, "{user}");
    }
}

#[tokio::test]
async fn calls_keep_to_their_tenants_limits() {
    let server = Server::start_with(|config| {
        config.limits.sockets_per_tenant = 2;
        config.limits.messages_per_second = 1;
        config.limits.messages_burst = 3;
    });
    let server = server.await;
    let mut bot = server.bot("alice", "bot_a").await;
    let key = server.key("alice");
    let bot_id = json!({"client": "bot_a"}).to_string();
    let issued = server.call(&key, "POST /v1/tokens", &bot_id).await.json();
    let nonsense = server.call(&key, "POST /v1/messages", "nonsense").await;
    nonsense.problem("bad_frame");
    assert_eq!(server.call(&key, "GET /v1/bots", "").await.status, 200);
    for request in ["POST /v1/tokens", "POST /v1/messages"] {
        let refused = server.call(&key, request, "nonsense").await;
        refused.problem("rate_limited");
    }
    let refused = server.call(&key, "GET /v1/bots", "").await;
    let problem = refused.problem("rate_limited");
    assert!(
        problem["retryAfterMs"].as_u64().unwrap() <= 1000,
        "{problem}"
    );
    let phone = server.client("alice", "phone").await;
    server
        .call(&key, "GET /v1/bots", "")
        .await
        .problem("quota_exceeded");
    drop(phone);
    crate::harness::eventually("the phone is gone", || async {
        server.metric("t2b_connections").await == 1.0
    })
    .await;
    let token = issued["token"].as_str().unwrap();
    server
        .call(token, "GET /v1/bots", "")
        .await
        .problem("invalid_id");
    assert_eq!(bot.ask(r#"{"type":"ping"}"#).await["type"], "pong");
}

#[tokio::test]
async fn a_suspended_tenant_is_told_so() {
    let server = Server::start().await;
    server.order("alice", "suspend").await;
    let refused = server.call(&server.key("alice"), "GET /v1/bots", "").await;
    refused.problem("tenant_suspended");
}

#[tokio::test]
async fn who_cannot_hear_is_named() {
    let server = Server::start().await;
    let bot = server.bot("alice", "bot_a").await;
    let phone = server.client("alice", "phone").await;
    drop((bot, phone));
    crate::harness::eventually("both are gone", || async {
        server.metric("t2b_connections").await == 0.0
    })
    .await;
    let key = server.key("alice");
    for (to, reason) in [("bot_a", "bot_offline"), ("phone", "recipient_offline")] {
        let body = json!({"to": to}).to_string();
        let refused = server
            .call(&key, "POST /v1/messages?waitMs=1000", &body)
            .await;
        refused.problem(reason);
    }
}
