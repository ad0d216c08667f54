//! How a wait for a reply ends without one, and what it hears meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Wire, say};
use crate::harness::{Server, Socket, eventually};

const HELLO: &str = r#"{"to":"bot_a","text":"hello","messageId":"m"}"#;

async fn waits(server: &Server, count: usize) {
    eventually("that many wait", || async {
        server.metric("t2b_http_waits").await == count as f64
    })
    .await;
}

/// A call of alice's that waits, as `script`.
async fn waiting(server: &Server, bot: &mut Socket) -> Wire {
    let mut wire = server.wire().await;
    let path = "POST /v1/messages?waitMs=50000&clientId=script";
    wire.call(&server.key("alice"), path, HELLO).await;
    bot.expect("message").await;
    waits(server, 1).await;
    wire
}

fn to_script(reply_to: &str) -> Value {
    json!({"to": "script", "from": "bot_a", "text": "hi", "replyTo": reply_to})
}

#[tokio::test]
async fn no_reply_in_time_is_null() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    for wait in [0, 50] {
        let path = format!("POST /v1/messages?waitMs={wait}");
        let body = json!({"to": "bot_a", "messageId": format!("m{wait}")}).to_string();
        let answer = server.call(&server.key("alice"), &path, &body).await;
        assert_eq!(answer.status, 202);
        let message = format!("m{wait}");
        assert_eq!(
            answer.json(),
            json!({"messageId": message, "status": "delivered", "reply": null})
        );
    }
    bot.expect("message").await;
    bot.expect("message").await;
    let late = json!({"to": "client_alice", "from": "bot_a", "replyTo": "m0"});
    assert_eq!(
        say(&mut bot, late).await["data"]["reason"],
        "recipient_offline"
    );
    // Some parts are no reply.
    let mut wire = waiting(&server, &mut bot).await;
    let part = json!({"to": "script", "from": "bot_a", "replyTo": "m", "part": 1, "parts": 2});
    assert_eq!(say(&mut bot, part).await["data"]["status"], "delivered");
    assert_eq!(
        say(&mut bot, to_script("m")).await["data"]["reason"],
        "recipient_offline",
        "it hears one reply"
    );
    let last = json!({"to": "script", "from": "bot_a", "replyTo": "m", "text": "two", "part": 2, "parts": 2});
    assert_eq!(say(&mut bot, last).await["data"]["status"], "delivered");
    assert_eq!(wire.answer().await.unwrap().json()["reply"]["text"], "two");
}

#[tokio::test]
async fn who_goes_away_waits_no_longer() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    drop(waiting(&server, &mut bot).await);
    waits(&server, 0).await;
    let reply = say(&mut bot, to_script("m")).await;
    assert_eq!(reply["data"]["reason"], "recipient_offline");
}

#[tokio::test]
async fn a_repeated_message_waits_for_the_reply_of_the_first() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    drop(waiting(&server, &mut bot).await);
    waits(&server, 0).await;
    let mut wire = server.wire().await;
    let path = "POST /v1/messages?waitMs=50000&clientId=script";
    wire.call(&server.key("alice"), path, HELLO).await;
    waits(&server, 1).await;
    assert_eq!(
        say(&mut bot, to_script("m")).await["data"]["status"],
        "delivered"
    );
    let answer = wire.answer().await.unwrap();
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &json!("duplicate"))
    );
    assert_eq!(answer.json()["reply"]["text"], "hi");
}

#[tokio::test]
async fn other_messages_are_not_lost_in_a_wait() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = waiting(&server, &mut bot).await;
    let refused = say(&mut bot, to_script("other")).await;
    assert_eq!(refused["data"]["reason"], "recipient_offline");
    let mut phone = server.client("alice", "script").await;
    assert_eq!(
        say(&mut bot, to_script("other")).await["data"]["status"],
        "delivered"
    );
    phone.expect("message").await;
    assert_eq!(
        say(&mut bot, to_script("m")).await["data"]["status"],
        "delivered"
    );
    phone.expect("message").await;
    assert_eq!(wire.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_wait_ends_with_its_right_to_be_there() {
    for (order, reason) in [("suspend", "tenant_suspended"), ("revoke", "unauthorized")] {
        let server = Server::start().await;
        let mut bot = server.bot("alice", "bot_a").await;
        let mut wire = waiting(&server, &mut bot).await;
        server.order("alice", order).await;
        wire.answer().await.unwrap().problem(reason);
    }
}

#[tokio::test]
async fn a_drain_ends_waits_and_takes_no_more_calls() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut idle = server.wire().await;
    let key = server.key("alice");
    idle.call(&key, "GET /v1/bots", "").await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    let mut stalled = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    crate::stalled::fill(&mut phone, "tablet").await;
    let mut wire = waiting(&server, &mut bot).await;
    server.shutdown.begin();
    let drained = wire.answer().await.unwrap();
    assert_eq!(drained.status, 202, "{drained:?}");
    let told = json!({"messageId": "m", "status": "delivered", "reply": null});
    assert_eq!(drained.json(), told, "what was acknowledged stays so");
    assert!(drained.head.contains("connection: close"), "{drained:?}");
    assert!(wire.answer().await.is_none());
    idle.call(&key, "GET /v1/bots", "").await;
    let refused = idle.answer().await.unwrap().problem("draining");
    assert_eq!(refused["retryAfterMs"], 1000);
    stalled.closed().await;
}

#[tokio::test]
async fn a_tenant_waits_a_thousand_times_at_once_and_no_more() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let key = server.key("alice");
    let mut wires = Vec::new();
    for i in 0..1000 {
        let mut wire = server.wire().await;
        let body = r#"{"to":"bot_a"}"#;
        wire.call(&key, "POST /v1/messages?waitMs=50000", body)
            .await;
        wires.push(wire);
        if i % 100 == 99 {
            waits(&server, i + 1).await;
        }
    }
    let path = "POST /v1/messages?waitMs=0";
    server
        .call(&key, path, HELLO)
        .await
        .problem("quota_exceeded");
    let _other = server.bot("bob", "bot_a").await;
    let theirs = server.call(&server.key("bob"), path, HELLO).await;
    assert_eq!(theirs.status, 202, "that is alice's alone");
    assert_eq!(
        server.call(&key, "POST /v1/messages", HELLO).await.status,
        202
    );
    wires.pop();
    waits(&server, 999).await;
    assert_eq!(server.call(&key, path, HELLO).await.status, 202);
}

#[tokio::test]
async fn a_token_that_ends_ends_its_wait() {
    let server = Server::start_with(|config| config.heartbeat = Duration::from_millis(100)).await;
    let mut bot = server.bot("alice", "bot_a").await;
    let token = server.token(
        "alice",
        "phone",
        router_core::auth::TokenScope::Chat,
        None,
        1,
    );
    let mut wire = server.wire().await;
    wire.call(&token, "POST /v1/messages?waitMs=50000", HELLO)
        .await;
    bot.expect("message").await;
    let ended = wire.answer().await.unwrap();
    assert_eq!(ended.status, 202, "{ended:?}");
    let told = json!({"messageId": "m", "status": "delivered", "reply": null});
    assert_eq!(ended.json(), told);
}

#[tokio::test]
async fn a_wait_has_no_heartbeat_to_miss() {
    let heartbeat = Duration::from_millis(50);
    let server = Server::start_with(|config| config.heartbeat = heartbeat).await;
    let mut bot = server.bot("alice", "bot_a").await;
    let begun = std::time::Instant::now();
    let answer = server
        .call(&server.key("alice"), "POST /v1/messages?waitMs=400", HELLO)
        .await;
    assert_eq!(
        (answer.status, answer.json()["reply"].is_null()),
        (202, true)
    );
    assert!(begun.elapsed() >= 8 * heartbeat);
    bot.expect("message").await;
}
