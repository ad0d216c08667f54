//! A `messageId` that comes again: the same body is a duplicate, another one a conflict.

use serde_json::{Value, json};

use crate::harness::{Server, Socket};

async fn send(socket: &mut Socket, data: Value) -> Value {
    let frame = json!({"type": "message", "data": data, "id": "m"});
    socket.ask(frame.to_string()).await["data"].clone()
}

#[tokio::test]
async fn another_body_under_the_same_message_id_is_a_conflict() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "client_alice").await;
    let mut laptop = server.client("alice", "client_alice").await;
    let data = json!({"to": "bot_a", "messageId": "1", "text": "from the phone"});
    assert_eq!(send(&mut phone, data).await["status"], "delivered");
    let data = json!({"to": "bot_a", "messageId": "1", "text": "from the laptop"});
    let error = send(&mut laptop, data).await;
    assert_eq!(error["reason"], "idempotency_conflict", "{error}");
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!(409), &json!("messageId"))
    );
    assert_eq!(error["messageId"], "1");
    assert_eq!(error["retryable"], false);
    assert_eq!(
        bot.expect("message").await["data"]["text"],
        "from the phone"
    );
    // The connection goes on, and the bot has the first message only.
    let data = json!({"to": "bot_a", "messageId": "2", "text": "again"});
    assert_eq!(send(&mut laptop, data).await["status"], "delivered");
    assert_eq!(bot.expect("message").await["data"]["text"], "again");
}

#[tokio::test]
async fn a_repeat_may_differ_in_its_timestamp_and_in_what_the_gateway_writes() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    let first = r#"{"type":"message","data":{"to":"bot_a","messageId":"1","text":"hi","x":[1]}}"#;
    assert_eq!(phone.ask(first).await["data"]["status"], "delivered");
    for repeat in [
        first,
        r#"{"type":"message","data":{"to":"bot_a","messageId":"1","text":"hi","x":[1],"timestamp":1763695000000}}"#,
        r#"{"type":"message","data":{"timestamp":"2026-02-11T08:50:00Z", "text":"hi","to":"bot_a", "x":[1],"messageId":"1"}}"#,
        r#"{"type":"message","data":{"to":"bot_a","messageId":"1","text":"hi" , "time\u0073tamp":null , "x":[1]}}"#,
        r#"{"type":"message","data":{"to":"bot_a","from":"phone","id":7,"epoch":1,"messageId":"1","text":"hi","connectionId":"x","x":[1]}}"#,
    ] {
        let answer = phone.ask(repeat).await;
        assert_eq!(answer["data"]["status"], "duplicate", "{repeat}: {answer}");
    }
    for other in [
        r#"{"type":"message","data":{"to":"bot_a","messageId":"1","text":"hi"}}"#,
        r#"{"type":"message","data":{"to":"bot_a","messageId":"1","text":"hi","x":[2]}}"#,
        r#"{"type":"message","data":{"to":"bot_a","messageId":"1","text":"hi","x":[1],"y":{"timestamp":1}}}"#,
    ] {
        phone.refused(other, "idempotency_conflict").await;
    }
}

#[tokio::test]
async fn over_http_a_conflict_is_409() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let lines = crate::api::lines_of(&server.key("alice"));
    let lines = format!("{lines}idempotency-key: order-17\r\n");
    for (body, status) in [
        (r#"{"to":"bot_a","text":"one"}"#, 202),
        (r#"{"to":"bot_a","text":"one","timestamp":7}"#, 202),
        (r#"{"to":"bot_a","text":"two"}"#, 409),
    ] {
        let answer = server.api("POST /v1/messages", &lines, body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
}
