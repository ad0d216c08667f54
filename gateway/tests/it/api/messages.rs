//! Messages, replies, and lists of bots.

use serde_json::json;

use super::{reply, say};
use crate::harness::{Server, eventually, register};

#[tokio::test]
async fn a_message_is_answered_with_its_reply() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let key = server.key("alice");
    let bot = tokio::spawn(async move {
        reply(&mut bot, |asked| {
            let (to, of) = (&asked["from"], &asked["messageId"]);
            vec![json!({"to": to, "from": "bot_a", "text": "you too", "replyTo": of, "x": [1, {}]})]
        })
        .await
    });
    let body = r#"{"to":"bot_a","text":"hello","mood":{"a":1}}"#;
    let answer = server
        .call(&key, "POST /v1/messages?waitMs=5000&clientId=script", body)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let (answer, asked) = (answer.json(), bot.await.unwrap());
    assert_eq!(
        (&asked["from"], &asked["text"]),
        (&json!("script"), &json!("hello"))
    );
    assert_eq!(asked["mood"], json!({"a": 1}));
    assert_eq!(answer["messageId"], asked["messageId"]);
    assert_eq!(answer["status"], "delivered");
    let reply = &answer["reply"];
    assert_eq!(
        (&reply["from"], &reply["to"]),
        (&json!("bot_a"), &json!("script"))
    );
    assert_eq!(
        (&reply["text"], &reply["x"]),
        (&json!("you too"), &json!([1, {}]))
    );
    eventually("the call is over", || async {
        server.metric("t2b_http_waits").await == 0.0
    })
    .await;
    let ok = r#"t2b_http_requests_total{route="/v1/messages",status="2xx"}"#;
    assert_eq!(server.metric(ok).await, 1.0);
}

#[tokio::test]
async fn a_reply_may_go_to_the_connection_and_come_in_parts() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let key = server.key("alice");
    let bot = tokio::spawn(async move {
        reply(&mut bot, |asked| {
            let conn = &asked["connectionId"];
            let part = |n: u32, text: &str| {
                json!({"to": conn, "from": "bot_a", "text": text, "part": n, "parts": 3, "messageId": format!("r{n}")})
            };
            vec![part(2, "two "), part(1, "one "), part(3, "three")]
        })
        .await
    });
    let body = r#"{"to":"bot_a","text":"count"}"#;
    let answer = server
        .call(&key, "POST /v1/messages?waitMs=5000", body)
        .await;
    let asked = bot.await.unwrap();
    assert_eq!(asked["from"], "client_alice");
    let reply = &answer.json()["reply"];
    assert_eq!(reply["text"], "one two three");
    assert_eq!(
        (&reply["messageId"], &reply["to"]),
        (&json!("r1"), &asked["connectionId"])
    );
    assert!(
        reply["part"].is_null() && reply["parts"].is_null(),
        "{reply}"
    );
}

#[tokio::test]
async fn bodies_pass_verbatim_both_ways() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let key = server.key("alice");
    let odd = r#""text":"\u0000 \ud800 \/","x":1.0e1,"x":{ "y" : [ ] }"#;
    let bot = tokio::spawn(async move {
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
        let to = r#"{"type":"message","data":{"to":"client_alice","from":"bot_a","replyTo":"m","#;
        bot.send(format!("{to}{odd}}}}}")).await;
        bot.expect("message_ack").await;
        text
    });
    let body = format!(" \n{{\"to\":\"bot_a\",\"messageId\":\"m\",\"epoch\":7,{odd}}} ");
    let answer = server
        .call(&key, "POST /v1/messages?waitMs=5000", &body)
        .await;
    let heard = bot.await.unwrap();
    assert!(heard.contains(&format!(",{odd},\"timestamp\":")), "{heard}");
    assert!(!heard.contains("epoch"), "{heard}");
    assert!(
        answer.body.contains(&format!("{odd},\"timestamp\":")),
        "{answer:?}"
    );
    assert!(
        answer
            .body
            .starts_with(r#"{"messageId":"m","status":"delivered","reply":{"from":"bot_a","#)
    );
}

#[tokio::test]
async fn without_a_wait_the_message_alone_is_answered() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let key = server.key("alice");
    let body = r#"{"to":"bot_a","text":"hello","messageId":"m"}"#;
    for status in ["delivered", "duplicate"] {
        let answer = server.call(&key, "POST /v1/messages", body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.json(), json!({"messageId": "m", "status": status}));
    }
    assert_eq!(bot.expect("message").await["data"]["text"], "hello");
    let reply = json!({"to": "client_alice", "from": "bot_a", "replyTo": "m"});
    let refused = say(&mut bot, reply).await;
    assert_eq!(
        refused["data"]["reason"], "recipient_offline",
        "nobody is there to hear it"
    );
}

#[tokio::test]
async fn the_header_names_the_message_if_the_body_does_not() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let post = async |key: &str, own: &str| {
        let lines = format!(
            "{}idempotency-key: {key}\r\n",
            super::lines_of(&server.key("alice"))
        );
        let body = format!(r#"{{"to":"bot_a","text":"hi"{own}}}"#);
        server.api("POST /v1/messages", &lines, &body).await
    };
    let told = |status: &str| json!({"messageId": "k-1", "status": status});
    assert_eq!(post("k-1", "").await.json(), told("delivered"));
    assert_eq!(
        post("k-1", r#","messageId":"k-1""#).await.json(),
        told("duplicate")
    );
    post("k-1", r#","messageId":"k-2""#)
        .await
        .problem("bad_request");
    post("not a key", "").await.problem("invalid_id");
    post(&"k".repeat(65), "").await.problem("invalid_id");
    assert_eq!(post(&"k".repeat(64), "").await.status, 202);
    assert_eq!(bot.expect("message").await["data"]["messageId"], "k-1");
    assert_eq!(
        bot.expect("message").await["data"]["messageId"],
        "k".repeat(64)
    );
}

#[tokio::test]
async fn bots_are_listed_page_by_page_and_found_by_name() {
    let server = Server::start().await;
    let mut host = server.bot("alice", "bot_a").await;
    for bot in ["bot_b", "bot:c"] {
        host.ask(register(bot)).await;
    }
    let key = server.key("alice");
    let mut cursor = String::new();
    let mut seen = Vec::new();
    loop {
        let page = server
            .call(&key, &format!("GET /v1/bots?limit=2{cursor}"), "")
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        seen.extend(page["bots"].as_array().unwrap().clone());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let ids: Vec<&str> = seen.iter().map(|bot| bot["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["bot:c", "bot_a", "bot_b"]);
    for (bot, path) in seen.iter().zip(["bot%3Ac", "bot_a", "bot_b"]) {
        let found = server.call(&key, &format!("GET /v1/bots/{path}"), "").await;
        assert_eq!((found.status, &found.json()), (200, bot));
    }
    drop(host);
    eventually("they are offline", || async {
        let bot = server.call(&key, "GET /v1/bots/bot_a", "").await;
        bot.json()["status"] == "offline"
    })
    .await;
}

#[tokio::test]
async fn another_tenants_names_do_not_exist() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mallory = server.key("mallory");
    let found = server.call(&mallory, "GET /v1/bots/bot_a", "").await;
    let unknown = server.call(&mallory, "GET /v1/bots/bot_x", "").await;
    found.problem("bot_not_found");
    let without_date = |answer: &crate::http::Answer| {
        let lines = answer
            .head
            .lines()
            .filter(|line| !line.starts_with("date: "));
        (lines.collect::<Vec<_>>().join("\n"), answer.body.clone())
    };
    assert_eq!(without_date(&found), without_date(&unknown));
    let post = async |to: &str| {
        let body = json!({"to": to, "text": "psst", "replyTo": "m"}).to_string();
        server
            .call(&mallory, "POST /v1/messages?waitMs=10", &body)
            .await
    };
    for (theirs, nobodys) in [("bot_a", "bot_x"), ("bot_a-process", "nobody")] {
        let theirs = post(theirs).await;
        theirs.problem("bot_not_found");
        assert_eq!(without_date(&theirs), without_date(&post(nobodys).await));
    }
    let list = server.call(&mallory, "GET /v1/bots", "").await;
    assert_eq!(list.json(), json!({"bots": []}));
    let pong = bot.ask(r#"{"type":"ping"}"#).await;
    assert_eq!(pong["type"], "pong", "nothing came here");
}
