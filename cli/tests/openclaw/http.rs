//! A script asks a bot without a socket of its own.

use fixtures::http_exchange;
use serde_json::{Value, json};

use crate::gateway::OwnerGateway;
use crate::long::everything;
use crate::model::echo_of;
use crate::world::{DEADLINE, TestWorld};

pub async fn a_post_returns_the_reply(world: &mut TestWorld) {
    let (status, answer) = ask(&world.gateway, "hello", "http-1").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["messageId"], "http-1");
    assert_eq!(answer["reply"]["text"], echo_of("hello"));
    assert_eq!(answer["reply"]["from"], "bot_main");
}

/// The parts of a long answer are one text here.
pub async fn a_post_returns_a_long_reply_whole(world: &mut TestWorld) {
    let text = "tell everything by post";
    world.model.answer(text, everything());
    let (status, answer) = ask(&world.gateway, text, "http-2").await;
    assert_eq!(status, 200);
    let whole = answer["reply"]["text"].as_str().unwrap();
    assert!(whole == everything(), "another text");
}

/// `POST /v1/messages` with a wait: the status, and the body.
async fn ask(gateway: &OwnerGateway, text: &str, message_id: &str) -> (u16, Value) {
    let body = json!({"to": "bot_main", "text": text, "messageId": message_id}).to_string();
    let request = format!(
        "POST /v1/messages?waitMs=30000&clientId=script HTTP/1.1\r\n\
         Host: {}\r\n\
         Authorization: Bearer {}\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        gateway.client_address(),
        gateway.key,
        body.len(),
    );
    let answer = http_exchange(gateway.client_address(), request.as_bytes(), DEADLINE).await;
    let answer = answer.expect("an answer in time");
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}
