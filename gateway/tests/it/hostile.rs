//! What a peer may say wrong, and what it may try on names and credentials that are not its own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use router_core::auth::TokenScope;
use serde_json::json;

use crate::bystanders::Bystanders;
use crate::harness::{Server, message, raw_frame, register};

#[tokio::test]
async fn bad_frames_are_answered_and_nothing_more() {
    let server = Server::start().await;
    let bystanders = Bystanders::of(&server).await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    let data = |members: &str| {
        format!(r#"{{"type":"message","id":"9","data":{{"to":"bot_a",{members}}}}}"#)
    };
    for (frame, reason) in [
        (data(r#""from":"phone","from":"bot_a""#), "bad_frame"),
        (data(r#""from":"phone","fr\u006fm":"bot_a""#), "bad_frame"),
        (data(r#""to":"phone""#), "bad_frame"),
        (data(r#""messageId":"a","message\u0049d":"b""#), "bad_frame"),
        (data("\"text\":\"raw \0 byte\""), "bad_frame"),
        (data(r#""from":"pho\u0000ne""#), "invalid_id"),
        (data(r#""from":"\ud800""#), "invalid_id"),
        (data(r#""messageId":"with space""#), "invalid_id"),
        (data(r#""part":3,"parts":2"#), "bad_frame"),
        (
            r#"{"type":"ping","type":"message"}"#.to_owned(),
            "bad_frame",
        ),
        (r#"{"type":"ping"} {"type":"ping"}"#.to_owned(), "bad_frame"),
        (r#"{"type":"ping",}"#.to_owned(), "bad_frame"),
        (r#"{"type":"ping","id":7.5}"#.to_owned(), "invalid_id"),
        ("[".repeat(20_000), "bad_frame"),
        (r#"{"data":"#.repeat(20_000), "bad_frame"),
        (
            r#"{"type":"auth","data":{"apiKey":"t2b_bob_0123456789abcdef"}}"#.to_owned(),
            "bad_frame",
        ),
    ] {
        phone.refused(frame, reason).await;
        assert_eq!(phone.ask(r#"{"type":"ping"}"#).await["type"], "pong");
    }
    bot.send(r#"{"type":"ping"}"#).await;
    assert_eq!(
        bot.next().await.unwrap()["type"],
        "pong",
        "none of it reached the bot"
    );
    drop((bot, phone));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test]
async fn what_only_the_gateway_writes_cannot_be_forged() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server
        .open("/ws?clientId=phone", Some(&server.key("alice")))
        .await;
    let own = phone.expect("status").await["data"]["connectionId"].clone();
    phone.expect("auth_ok").await;
    phone.expect("status").await;
    let body = r#""text":"\u0000 \ud800","x":1,"x":2,"trust":{"from":"root"}"#;
    phone.send(format!(
        r#"{{"type":"message","timestamp":1,"data":{{"id":"forged","connectionId":"conn_x","\u0065poch":9,"offset":9,"to":"bot_a","messageId":"m",{body}}}}}"#
    )).await;
    phone.expect("message_ack").await;
    let text = loop {
        let frame = futures_util::StreamExt::next(&mut bot.0)
            .await
            .unwrap()
            .unwrap();
        let text = frame.into_text().unwrap().to_string();
        if text.contains(r#""type":"message""#) {
            break text;
        }
    };
    let begin = format!(
        r#"{{"type":"message","data":{{"from":"phone","to":"bot_a","id":"m","messageId":"m","connectionId":{own},{body}"#
    );
    assert!(text.starts_with(&begin), "{text}");
    for forged in ["forged", "conn_x", "epoch", "offset", "\"timestamp\":1,"] {
        assert!(!text.contains(forged), "{forged} in {text}");
    }
}

/// Whatever is asked of another tenant's names is answered as of names that never were.
#[tokio::test]
async fn another_tenants_names_do_not_exist() {
    let server = Server::start().await;
    let mut bot = server
        .open("/ws?clientId=victim", Some(&server.key("alice")))
        .await;
    let conn = bot.expect("status").await["data"]["connectionId"]
        .as_str()
        .unwrap()
        .to_owned();
    bot.expect("auth_ok").await;
    bot.expect("status").await;
    bot.ask(register("bot_a")).await;
    let mut mallory = server.client("mallory", "phone").await;
    let nobody = format!("conn_{}", "0".repeat(26));
    for (theirs, nobodys) in [
        ("bot_a", "bot_x"),
        (conn.as_str(), nobody.as_str()),
        ("victim", "nobody"),
    ] {
        for kind in ["message", "subscribe", "unsubscribe", "unregister_bot"] {
            let ask = |name: &str| match kind {
                "message" => message(name, "psst"),
                _ => json!({"type": kind, "data": {"botId": name}, "id": "m"}).to_string(),
            };
            let (mut real, mut unreal) = (
                mallory.ask(ask(theirs)).await,
                mallory.ask(ask(nobodys)).await,
            );
            assert_eq!(real["type"], "error", "{kind} {theirs}");
            for answer in [&mut real, &mut unreal] {
                answer.as_object_mut().unwrap().remove("timestamp");
            }
            assert_eq!(real, unreal, "{kind} {theirs}");
        }
    }
    let as_them = json!({"type": "message", "data": {"to": "phone", "from": "bot_a", "text": ""}});
    mallory
        .refused(as_them.to_string(), "not_your_identity")
        .await;
    assert_eq!(
        mallory.ask(r#"{"type":"list_bots"}"#).await["data"]["bots"],
        json!([])
    );
    assert_eq!(
        mallory.ask(register("bot_a")).await["type"],
        "bot_registered",
        "the name is free for her"
    );
    assert_eq!(
        bot.ask(r#"{"type":"ping"}"#).await["type"],
        "pong",
        "and nothing came here"
    );
}

#[tokio::test]
async fn a_client_is_never_a_bot() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let mut posing = server
        .open("/ws?clientId=bot_a", Some(&server.key("alice")))
        .await;
    posing.expect("status").await;
    assert_eq!(posing.expect("error").await["data"]["reason"], "invalid_id");
    let auth = json!({"type": "auth", "data": {"apiKey": server.key("alice"), "clientId": "phone"}, "id": "1"});
    assert_eq!(
        posing.ask(auth.to_string()).await["type"],
        "auth_ok",
        "it may choose another name"
    );
    posing.expect("status").await;
    posing
        .refused(register("phone"), "already_registered")
        .await;
    posing.refused(register("conn_a"), "invalid_id").await;
    let foreign = server
        .open("/ws?clientId=bot_a", Some(&server.key("bob")))
        .await;
    let mut foreign = foreign;
    foreign.greeted().await;
}

#[tokio::test]
async fn a_chat_token_may_talk_with_its_bots_only() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let _hidden = server.bot("alice", "bot_b").await;
    let _tablet = server.client("alice", "tablet").await;
    let token = server.token("alice", "phone", TokenScope::Chat, Some(&["bot_a"]), 60);
    let mut phone = server.bearer(&token).await;
    phone.tell("bot_a", "hi").await;
    let conn = bot.expect("message").await["data"]["connectionId"]
        .as_str()
        .unwrap()
        .to_owned();
    for name in ["bot_b", "bot_x", "tablet", "bot_b-process", conn.as_str()] {
        phone.refused(message(name, "hi"), "bot_not_found").await;
    }
    let as_bot = json!({"type": "message", "data": {"to": "bot_a", "from": "bot_a", "text": ""}});
    phone.refused(as_bot.to_string(), "forbidden_scope").await;
    phone.refused(register("bot_c"), "forbidden_scope").await;
    let forget = json!({"type": "unregister_bot", "data": {"botId": "bot_a"}});
    phone.refused(forget.to_string(), "forbidden_scope").await;
    let list = phone.ask(r#"{"type":"list_bots"}"#).await;
    assert_eq!(list["data"]["bots"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_bot_token_may_be_its_bots_only() {
    let server = Server::start().await;
    let _other = server.bot("alice", "bot_b").await;
    let mut phone = server.client("alice", "phone").await;
    let token = server.token("alice", "worker", TokenScope::Bot, Some(&["bot_a"]), 60);
    let mut bot = server.bearer(&token).await;
    assert_eq!(bot.ask(register("bot_a")).await["type"], "bot_registered");
    bot.refused(register("bot_b"), "forbidden_scope").await;
    let send = |from: &str, to: &str| {
        json!({"type": "message", "data": {"to": to, "from": from, "text": "hi"}}).to_string()
    };
    assert_eq!(bot.ask(send("bot_a", "phone")).await["type"], "message_ack");
    assert_eq!(phone.expect("message").await["data"]["from"], "bot_a");
    bot.refused(message("phone", "hi"), "missing_field").await;
    bot.refused(send("bot_b", "phone"), "forbidden_scope").await;
    bot.refused(send("worker", "phone"), "forbidden_scope")
        .await;
    bot.refused(send("bot_a", "bot_b"), "bot_not_found").await;
}

#[tokio::test]
async fn credentials_that_are_not_good_are_all_told_the_same() {
    let server = Server::start().await;
    let elsewhere = Server::start().await;
    let bystanders = Bystanders::of(&server).await;
    let token = server.token("alice", "phone", TokenScope::Chat, None, 60);
    let [_, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token}")
    };
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let key = server.key("alice");
    for bad in [
        elsewhere.token("alice", "phone", TokenScope::Chat, None, 60),
        elsewhere.key("alice"),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        server.token("alice", "phone", TokenScope::Bot, None, 60),
        server.token("alice", "phone", TokenScope::Chat, None, 31 * 24 * 3600),
        token[..token.len() - 2].to_owned(),
        format!("{token}{}", "A".repeat(2048)),
        key[..key.len() - 1].to_owned(),
        key.replace("alice", "mallory"),
        key.to_uppercase(),
        key.replace("t2b_alice_", "t2b_alice_1-"),
        "t2b_".to_owned(),
        "x".to_owned(),
    ] {
        let mut socket = server.open("/ws", Some(&bad)).await;
        socket.expect("status").await;
        let told = socket.expect("auth_error").await;
        assert_eq!(told["data"], json!({"message": "Invalid API key"}), "{bad}");
        assert_eq!(
            socket.expect("error").await["data"]["reason"],
            "unauthorized"
        );
        assert_eq!(socket.closed().await, 4401);
    }
    bystanders.noticed_nothing(&server).await;
}

/// A few of the conformance cases, through the whole gateway.
#[tokio::test]
async fn what_is_not_websocket_is_closed_and_given_back() {
    let server = Server::start().await;
    let bystanders = Bystanders::of(&server).await;
    let fragments = [raw_frame(0x01, b""), raw_frame(0x00, b"").repeat(1_000_000)].concat();
    let nested = [raw_frame(0x01, b"{"), raw_frame(0x81, b"{}")].concat();
    let summed = [
        raw_frame(0x01, b""),
        raw_frame(0x00, &[b' '; 64 * 1024]).repeat(5),
    ]
    .concat();
    for (bytes, code) in [
        (b"\x81\x02{}".to_vec(), 1002),
        (raw_frame(0xc1, b"{}"), 1002),
        (raw_frame(0x83, b"{}"), 1002),
        (raw_frame(0x80, b"{}"), 1002),
        (raw_frame(0x09, b"ping"), 1002),
        (raw_frame(0x89, &[b'p'; 126]), 1002),
        (nested, 1002),
        (raw_frame(0x82, b"{}"), 1003),
        (
            raw_frame(0x81, "cut \u{20ac}".as_bytes().split_last().unwrap().1),
            1007,
        ),
        (fragments, 1009),
        (summed, 1009),
        (b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0".to_vec(), 1009),
        (
            b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec(),
            1009,
        ),
    ] {
        let mut socket = server.client("alice", "phone").await;
        socket.write_raw(&bytes).await;
        let named = &bytes[..bytes.len().min(12)];
        assert_eq!(socket.closed().await, code, "{named:x?}");
    }
    bystanders.noticed_nothing(&server).await;
}
