//! Client tokens made over HTTP: what they are good for, and for how long.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{head, lines_of};
use crate::harness::{Server, eventually, message, register};

async fn issue(server: &Server, asked: Value) -> Value {
    let issued = server
        .call(&server.key("alice"), "POST /v1/tokens", &asked.to_string())
        .await;
    assert_eq!(issued.status, 201, "{issued:?}");
    assert!(
        issued.head.contains("cache-control: no-store"),
        "{issued:?}"
    );
    issued.json()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis() as u64
}

#[tokio::test]
async fn a_token_opens_a_socket_with_exactly_its_rights() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let _hidden = server.bot("alice", "bot_b").await;
    let before = now_ms();
    let issued = issue(
        &server,
        json!({"client": "phone", "bots": ["bot_a"], "ttlSeconds": 60}),
    )
    .await;
    let ends = issued["expiresAt"].as_u64().unwrap();
    assert!(
        (before / 1000 + 60..=now_ms() / 1000 + 60).contains(&(ends / 1000)),
        "{ends}"
    );
    let token = issued["token"].as_str().unwrap();
    let mut phone = server.open("/ws?clientId=other", Some(token)).await;
    phone.expect("status").await;
    assert_eq!(phone.expect("auth_ok").await["data"]["clientId"], "phone");
    let list = phone.expect("status").await;
    assert_eq!(list["data"]["bots"].as_array().unwrap().len(), 1);
    phone.tell("bot_a", "hi").await;
    assert_eq!(bot.expect("message").await["data"]["from"], "phone");
    phone.refused(message("bot_b", "hi"), "bot_not_found").await;
    phone.refused(register("bot_c"), "forbidden_scope").await;
    // And over HTTP the same.
    let path = "POST /v1/messages?clientId=other";
    let sent = server.call(token, path, r#"{"to":"bot_a"}"#).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    assert_eq!(bot.expect("message").await["data"]["from"], "phone");
    server
        .call(token, path, r#"{"to":"bot_b"}"#)
        .await
        .problem("bot_not_found");
    server
        .call(token, "GET /v1/bots/bot_b", "")
        .await
        .problem("bot_not_found");
    let more = server
        .call(token, "POST /v1/tokens", r#"{"client":"x"}"#)
        .await;
    more.problem("forbidden_scope");
}

#[tokio::test]
async fn a_bot_token_is_for_its_bots() {
    let server = Server::start().await;
    let issued = issue(
        &server,
        json!({"client": "host", "scope": ["bot"], "bots": ["bot_a"]}),
    )
    .await;
    let token = issued["token"].as_str().unwrap();
    let mut host = server.bearer(token).await;
    assert_eq!(host.ask(register("bot_a")).await["type"], "bot_registered");
    host.refused(register("bot_b"), "forbidden_scope").await;
    let body = r#"{"to":"phone","from":"bot_a"}"#;
    let sent = server.call(token, "POST /v1/messages", body).await;
    sent.problem("not_your_identity");
}

#[tokio::test]
async fn a_revoke_voids_the_key_and_its_tokens() {
    let server = Server::start().await;
    let issued = issue(&server, json!({"client": "phone"})).await;
    let token = issued["token"].as_str().unwrap();
    assert_eq!(server.call(token, "GET /v1/bots", "").await.status, 200);
    server.order("alice", "revoke").await;
    let key = server.key("alice");
    for credential in [token, &key] {
        let refused = server.call(credential, "GET /v1/bots", "").await;
        refused.problem("unauthorized");
        assert!(
            refused.head.contains("www-authenticate: bearer"),
            "{refused:?}"
        );
    }
    server
        .call(&key, "POST /v1/tokens", r#"{"client":"x"}"#)
        .await
        .problem("unauthorized");
    let tenant = protocol::TenantId::parse("alice").unwrap();
    let newer = server.keyring.issue_key(&tenant, 1).reveal().clone();
    let issued = server
        .call(&newer, "POST /v1/tokens", r#"{"client":"x"}"#)
        .await;
    let token = issued.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(server.call(&token, "GET /v1/bots", "").await.status, 200);
}

#[tokio::test]
async fn no_token_is_made_for_whoever_was_expelled() {
    for (order, reason) in [("suspend", "tenant_suspended"), ("revoke", "unauthorized")] {
        let server = Server::start().await;
        let mut wire = server.wire().await;
        let (body, lines) = (r#"{"client":"phone"}"#, lines_of(&server.key("alice")));
        wire.send(head("POST /v1/tokens", &lines, body.len())).await;
        wire.send(&body[..10]).await;
        eventually("the body is on its way", || async {
            server.metric("t2b_assembly_bytes").await == 10.0
        })
        .await;
        server.order("alice", order).await;
        wire.send(&body[10..]).await;
        wire.answer().await.unwrap().problem(reason);
    }
}

#[tokio::test]
async fn what_no_token_can_be_is_refused() {
    let server = Server::start().await;
    let bots = |count: usize| {
        (0..count)
            .map(|i| format!("bot_{i:04}"))
            .collect::<Vec<_>>()
    };
    for (asked, reason) in [
        (json!({}), "bad_request"),
        (json!({"client": 7}), "bad_request"),
        // "All bots" is said by saying nothing.
        (json!({"client": "phone", "bots": null}), "bad_request"),
        (json!({"client": "phone", "ttl": 5}), "bad_request"),
        (json!({"client": "conn_x"}), "invalid_id"),
        (json!({"client": "phone", "ttlSeconds": 0}), "bad_request"),
        (
            json!({"client": "phone", "ttlSeconds": 30 * 86400 + 1}),
            "bad_request",
        ),
        (json!({"client": "phone", "ttlSeconds": -1}), "bad_request"),
        (json!({"client": "phone", "scope": ["root"]}), "bad_request"),
        (json!({"client": "phone", "scope": []}), "bad_request"),
        (
            json!({"client": "phone", "scope": ["bot"]}),
            "missing_field",
        ),
        (json!({"client": "phone", "bots": ["-"]}), "invalid_id"),
        (json!({"client": "phone", "bots": bots(1000)}), "too_large"),
    ] {
        let refused = server
            .call(&server.key("alice"), "POST /v1/tokens", &asked.to_string())
            .await;
        refused.problem(reason);
    }
    // The longest that fits is one that is taken.
    let mut most = 0;
    for count in [1, 50, 100, 110, 120, 130] {
        let asked = json!({"client": "phone", "bots": bots(count)}).to_string();
        let issued = server
            .call(&server.key("alice"), "POST /v1/tokens", &asked)
            .await;
        if issued.status == 201 {
            let token = issued.json()["token"].as_str().unwrap().to_owned();
            assert!(token.len() <= 2048);
            assert_eq!(server.call(&token, "GET /v1/bots", "").await.status, 200);
            most = count;
        }
    }
    assert!((50..130).contains(&most), "{most}");
}
