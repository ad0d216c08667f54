//! The HTTP API: bots, messages and their replies.

use serde_json::{Value, json};

use crate::harness::{Server, Socket, eventually};
use crate::http::{Answer, exchange};

impl Server {
    /// One request to the API on a connection of its own; `lines` are header lines with their ends.
    pub async fn api(&self, request: &str, lines: &str, body: &str) -> Answer {
        let head = format!(
            "{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n{lines}\r\n{body}",
            body.len()
        );
        exchange(self.addresses.public, head.as_bytes()).await
    }

    /// The same with a credential and a JSON body.
    pub async fn call(&self, credential: &str, request: &str, body: &str) -> Answer {
        let lines =
            format!("authorization: Bearer {credential}\r\ncontent-type: application/json\r\n");
        self.api(request, &lines, body).await
    }
}

impl Answer {
    /// Must be a problem of this reason; returns it.
    pub fn problem(&self, reason: &str) -> Value {
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["reason"], reason, "{self:?}");
        assert_eq!(problem["type"], format!("urn:t2b:error:{reason}"));
        assert_eq!(problem["status"], self.status);
        problem
    }
}

/// Answers the next message that a bot gets with these frames' `data`.
pub async fn reply(bot: &mut Socket, datas: impl FnOnce(&Value) -> Vec<Value>) -> Value {
    let asked = bot.expect("message").await["data"].clone();
    for data in datas(&asked) {
        let frame = json!({"type": "message", "data": data, "id": "r"});
        let ack = bot.ask(frame.to_string()).await;
        assert_eq!(ack["data"]["status"], "delivered", "{ack}");
    }
    asked
}

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
