//! A refusal names the member at fault and the rule, over sockets and over HTTP.

use router_core::auth::TokenScope;
use serde_json::{Value, json};

use crate::harness::{Server, register};

/// What a socket is told of a frame that is refused.
async fn told(server: &Server, frame: Value) -> Value {
    let mut socket = server.client("alice", "phone").await;
    let answer = socket.ask(frame.to_string()).await;
    assert_eq!(answer["type"], "error", "{frame} is answered {answer}");
    answer["data"].clone()
}

#[tokio::test]
async fn an_error_names_the_member_and_the_rule() {
    let server = Server::start().await;
    let message = |data: Value| json!({"type": "message", "data": data});
    let register = |data: Value| json!({"type": "register_bot", "data": data});
    let list = |data: Value| json!({"type": "list_bots", "data": data});
    for (frame, reason, field, rule) in [
        (
            json!({"id": "1"}),
            "missing_field",
            "type",
            "name of a frame",
        ),
        (json!({"type": 7}), "bad_frame", "type", "name of a frame"),
        (
            json!({"type": "ping", "id": ""}),
            "invalid_id",
            "id",
            "1 to 64 bytes",
        ),
        (
            json!({"type": "ping", "id": 0.5}),
            "invalid_id",
            "id",
            "integer",
        ),
        (
            json!({"type": "message", "data": 1}),
            "bad_frame",
            "data",
            "object",
        ),
        (
            message(json!({"text": "x"})),
            "missing_field",
            "to",
            "1 to 80",
        ),
        (message(json!({"to": "a b"})), "invalid_id", "to", "1 to 80"),
        (
            message(json!({"to": "b", "from": 1})),
            "invalid_id",
            "from",
            "1 to 80",
        ),
        (
            message(json!({"to": "b", "from": "bot_x"})),
            "not_your_identity",
            "from",
            "registered",
        ),
        (
            message(json!({"to": "b", "messageId": "a b"})),
            "invalid_id",
            "messageId",
            "1 to 64",
        ),
        (
            message(json!({"to": "b", "text": 1})),
            "bad_frame",
            "text",
            "string",
        ),
        (
            message(json!({"to": "b", "ttlMs": -1})),
            "bad_frame",
            "ttlMs",
            "integer",
        ),
        (
            message(json!({"to": "b", "part": 3, "parts": 2})),
            "bad_frame",
            "part",
            "parts",
        ),
        (
            message(json!({"to": "b", "parts": 2})),
            "bad_frame",
            "part",
            "parts",
        ),
        (
            message(json!({"to": "b", "durable": true})),
            "not_supported",
            "durable",
            "does not store messages",
        ),
        (
            register(json!({"botId": "-"})),
            "invalid_id",
            "botId",
            "1 to 80",
        ),
        (register(json!({})), "missing_field", "botId", "1 to 80"),
        (
            register(json!({"botId": "b", "name": "n".repeat(129)})),
            "too_large",
            "name",
            "128 bytes",
        ),
        (
            register(json!({"botId": "b", "capabilities": "chat"})),
            "bad_frame",
            "capabilities",
            "32 strings",
        ),
        (
            register(json!({"botId": "b", "takeover": "steal"})),
            "bad_frame",
            "takeover",
            "reject",
        ),
        (list(json!({"limit": 0})), "bad_frame", "limit", "1 to 1000"),
        (
            list(json!({"limit": 0.5})),
            "bad_frame",
            "limit",
            "1 to 1000",
        ),
        (
            list(json!({"cursor": "a b"})),
            "invalid_id",
            "cursor",
            "nextCursor",
        ),
        (
            json!({"type": "status", "data": {"request": "all"}}),
            "bad_frame",
            "request",
            "connections",
        ),
        (
            json!({"type": "status"}),
            "missing_field",
            "request",
            "connections",
        ),
        (
            json!({"type": "auth", "data": {"apiKey": "x"}}),
            "bad_frame",
            "type",
            "a second time",
        ),
    ] {
        let data = told(&server, frame.clone()).await;
        assert_eq!(data["reason"], reason, "{frame}: {data}");
        assert_eq!(data["field"], field, "{frame}: {data}");
        let text = data["message"].as_str().unwrap();
        assert!(text.contains(rule), "{frame}: {text}");
    }
}

#[tokio::test]
async fn a_member_given_twice_is_named() {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    for (frame, field) in [
        (r#"{"type":"message","data":{"to":"a","to":"b"}}"#, "to"),
        (
            r#"{"type":"message","data":{"to":"a","epoch":1,"epoch":1}}"#,
            "epoch",
        ),
        (r#"{"type":"ping","type":"ping"}"#, "type"),
        (
            r#"{"type":"list_bots","data":{"limit":1,"limit":1}}"#,
            "limit",
        ),
    ] {
        let data = socket.refused(frame, "bad_frame").await["data"].clone();
        assert_eq!(data["field"], field, "{frame}: {data}");
        let text = data["message"].as_str().unwrap();
        assert!(text.contains("once"), "{frame}: {text}");
    }
}

#[tokio::test]
async fn a_refusal_before_and_at_auth_names_its_member() {
    let server = Server::start().await;
    let mut socket = server.open("/ws", None).await;
    socket.expect("status").await;
    let key = server.key("alice");
    for (data, reason, field) in [
        (json!({}), "missing_field", "apiKey"),
        (
            json!({"apiKey": key, "token": "a.b.c"}),
            "bad_frame",
            "token",
        ),
        (json!({"apiKey": 1}), "bad_frame", "apiKey"),
        (
            json!({"apiKey": key, "clientId": "a b"}),
            "invalid_id",
            "clientId",
        ),
        (json!({"apiKey": key, "acks": "none"}), "bad_frame", "acks"),
        (
            json!({"apiKey": key, "resume": {"epoch": 1}}),
            "bad_frame",
            "resume",
        ),
    ] {
        let frame = json!({"type": "auth", "data": data}).to_string();
        let error = socket.refused(frame, reason).await;
        assert_eq!(error["data"]["field"], field, "{data}: {error}");
    }
    // A client id that a bot has is known only to the tenant.
    let mut bot = server.bot("alice", "bot_a").await;
    let frame = json!({"type": "auth", "data": {"apiKey": key, "clientId": "bot_a"}});
    let error = socket.refused(frame.to_string(), "invalid_id").await;
    assert_eq!(error["data"]["field"], "clientId", "{error}");
    let error = bot
        .refused(register("bot_a-process"), "already_registered")
        .await;
    assert_eq!(error["data"]["field"], "botId", "{error}");
}

#[tokio::test]
async fn a_problem_names_the_member_and_the_rule() {
    let server = Server::start().await;
    let key = server.key("alice");
    let bot = server.token("alice", "p", TokenScope::Bot, Some(&["bot_a"]), 60);
    for (credential, request, body, reason, field, rule) in [
        (
            &key,
            "GET /v1/bots?limit=0",
            "",
            "bad_request",
            "limit",
            "1 to 1000",
        ),
        (
            &key,
            "GET /v1/bots?limit=many",
            "",
            "bad_request",
            "limit",
            "1 to 1000",
        ),
        (
            &key,
            "GET /v1/bots?cursor=-",
            "",
            "invalid_id",
            "cursor",
            "nextCursor",
        ),
        (&key, "GET /v1/bots/-", "", "invalid_id", "botId", "1 to 80"),
        (
            &key,
            "POST /v1/messages?waitMs=50001",
            r#"{"to":"b"}"#,
            "bad_request",
            "waitMs",
            "0 to 50000",
        ),
        (
            &key,
            "POST /v1/messages?clientId=-",
            r#"{"to":"b"}"#,
            "invalid_id",
            "clientId",
            "1 to 80",
        ),
        (
            &key,
            "POST /v1/messages",
            r#"{"text":"x"}"#,
            "missing_field",
            "to",
            "1 to 80",
        ),
        (
            &key,
            "POST /v1/messages",
            r#"{"to":"b","text":1}"#,
            "bad_frame",
            "text",
            "string",
        ),
        (
            &key,
            "POST /v1/messages",
            r#"{"to":"b","from":"bot_x"}"#,
            "not_your_identity",
            "from",
            "registered",
        ),
        (
            &bot,
            "POST /v1/messages",
            r#"{"to":"b"}"#,
            "missing_field",
            "from",
            "a bot of the token",
        ),
        (
            &key,
            "POST /v1/tokens",
            r#"{"client":"-"}"#,
            "invalid_id",
            "client",
            "1 to 80",
        ),
        (
            &key,
            "POST /v1/tokens",
            r#"{}"#,
            "bad_request",
            "client",
            "1 to 80",
        ),
        (
            &key,
            "POST /v1/tokens",
            r#"{"client":"c","bots":null}"#,
            "bad_request",
            "bots",
            "list",
        ),
        (
            &key,
            "POST /v1/tokens",
            r#"{"client":"c","bots":["-"]}"#,
            "invalid_id",
            "bots",
            "list",
        ),
        (
            &key,
            "POST /v1/tokens",
            r#"{"client":"c","scope":["bot"]}"#,
            "missing_field",
            "bots",
            "scope `bot`",
        ),
        (
            &key,
            "POST /v1/tokens",
            r#"{"client":"c","scope":["chat","bot"]}"#,
            "bad_request",
            "scope",
            r#"must be ["chat"] or ["bot"]"#,
        ),
        (
            &key,
            "POST /v1/tokens",
            r#"{"client":"c","ttlSeconds":0}"#,
            "bad_request",
            "ttlSeconds",
            "1 to 2592000",
        ),
    ] {
        let answer = server.call(credential, request, body).await;
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["reason"], reason, "{request} {body}: {problem}");
        assert_eq!(problem["field"], field, "{request} {body}: {problem}");
        let text = problem["detail"].as_str().unwrap();
        assert!(text.contains(rule), "{request} {body}: {text}");
    }
}

#[tokio::test]
async fn a_bad_idempotency_key_is_named() {
    let server = Server::start().await;
    let lines = crate::api::lines_of(&server.key("alice"));
    for (key, body, reason) in [
        ("a b", r#"{"to":"b"}"#, "invalid_id"),
        ("m-1", r#"{"to":"b","messageId":"m-2"}"#, "bad_request"),
    ] {
        let lines = format!("{lines}idempotency-key: {key}\r\n");
        let answer = server.api("POST /v1/messages", &lines, body).await;
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["reason"], reason, "{problem}");
        assert_eq!(problem["field"], "Idempotency-Key", "{problem}");
    }
}
