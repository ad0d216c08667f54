//! Numbers as other programs write them: an integer is any number without a fraction, a timestamp
//! is the sender's business, and a frame's `id` may be a number.

use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn an_id_comes_back_as_it_came() {
    let server = Server::start().await;
    let mut phone = server.client("alice", "phone").await;
    for id in [
        json!(0),
        json!(-1),
        json!(1_763_695_000_000_u64),
        json!(i64::MAX),
        json!(i64::MIN),
        json!("7"),
        json!("\"\\"),
    ] {
        let ping = json!({"type": "ping", "id": id});
        assert_eq!(phone.ask(ping.to_string()).await["id"], id);
        let unknown = json!({"type": "x", "id": id});
        assert_eq!(phone.ask(unknown.to_string()).await["id"], id);
        let message = json!({"type": "message", "data": {"to": "nobody"}, "id": id});
        assert_eq!(phone.ask(message.to_string()).await["id"], id);
    }
    let pong = phone.ask(r#"{"type":"ping","id":5.0}"#).await;
    assert_eq!(pong["id"], 5);
    for id in [
        "0.5",
        "9223372036854775808",
        "true",
        "null",
        "[]",
        "{}",
        "\"\"",
    ] {
        let frame = format!(r#"{{"type":"ping","id":{id}}}"#);
        let error = phone.refused(frame, "invalid_id").await;
        assert_eq!(error["id"], Value::Null, "{id}");
    }
}

#[tokio::test]
async fn a_timestamp_of_any_type_passes_as_the_senders() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    for timestamp in [
        "1763695000000",
        "1.5",
        "null",
        "true",
        "\"yesterday\"",
        "[2026,2,11]",
        "{\"s\":1}",
    ] {
        for kind in [
            r#"{"type":"typing","data":{"to":"bot_a","active":true,"timestamp":T}}"#,
            r#"{"type":"message_partial","data":{"to":"bot_a","streamId":"s","seq":1.0,"text":"h","timestamp":T}}"#,
            r#"{"type":"message","data":{"to":"bot_a","text":"hi","timestamp":T}}"#,
        ] {
            phone.send(kind.replace('T', timestamp)).await;
        }
        phone.expect("message_ack").await;
        let sent: Value = serde_json::from_str(timestamp).unwrap();
        for kind in ["typing", "message_partial", "message"] {
            let data = bot.expect(kind).await["data"].clone();
            assert_eq!(data.get("timestamp"), Some(&sent), "{kind}: {data}");
        }
    }
}

#[tokio::test]
async fn a_number_without_a_fraction_is_an_integer() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    for limit in ["50.0", "5e1", "500E-1", "0.5e+2"] {
        let frame = format!(r#"{{"type":"list_bots","data":{{"limit":{limit}}}}}"#);
        assert_eq!(phone.ask(frame).await["type"], "status", "{limit}");
    }
    for (members, is_good) in [
        (r#""ttlMs":1.0"#, true),
        (r#""ttlMs":1e3"#, true),
        (r#""ttlMs":-0"#, true),
        (r#""ttlMs":-0.0"#, true),
        (r#""ttlMs":0e999999999999"#, true),
        (r#""ttlMs":18446744073709551615"#, true),
        (r#""ttlMs":18446744073709551616"#, false),
        (r#""ttlMs":1e999999999999"#, false),
        (r#""ttlMs":1e-1"#, false),
        (r#""ttlMs":-1.0"#, false),
        (r#""part":1.0,"parts":2.0"#, true),
        (r#""part":0.0,"parts":2.0"#, false),
    ] {
        let frame = format!(r#"{{"type":"message","data":{{"to":"bot_a",{members}}}}}"#);
        let kind = phone.ask(frame).await["type"].clone();
        let wanted = if is_good { "message_ack" } else { "error" };
        assert_eq!(kind, wanted, "{members}");
    }
    let issue = |ttl: &str| format!(r#"{{"client":"c","ttlSeconds":{ttl}}}"#);
    let key = server.key("alice");
    for (ttl, status) in [("600.0", 201), ("6e2", 201), ("0.5", 400)] {
        let answer = server.call(&key, "POST /v1/tokens", &issue(ttl)).await;
        assert_eq!(answer.status, status, "{ttl}: {}", answer.body);
    }
    let auth = json!({"apiKey": key, "resume": {"epoch": 1.0, "offset": 9.0}});
    let mut socket = server.open("/ws", None).await;
    socket.expect("status").await;
    socket
        .send(json!({"type": "auth", "data": auth}).to_string())
        .await;
    assert_eq!(
        socket.expect("auth_ok").await["data"]["resume"]["recovered"],
        false
    );
}
