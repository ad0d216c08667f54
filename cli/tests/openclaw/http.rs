//! A script asks a bot without a socket of its own.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gateway::Gateway;
use crate::long::everything;
use crate::model::echo_of;
use crate::world::World;

pub async fn a_post_returns_the_reply(world: &mut World) {
    let (status, answer) = ask(&world.gateway, "hello", "http-1").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["messageId"], "http-1");
    assert_eq!(answer["reply"]["text"], echo_of("hello"));
    assert_eq!(answer["reply"]["from"], "bot_main");
}

/// The parts of a long answer are one text here.
pub async fn a_post_returns_a_long_reply_whole(world: &mut World) {
    let text = "tell everything by post";
    world.model.answer(text, everything());
    let (status, answer) = ask(&world.gateway, text, "http-2").await;
    assert_eq!(status, 200);
    let whole = answer["reply"]["text"].as_str().unwrap();
    assert!(whole == everything(), "another text");
}

/// `POST /v1/messages` with a wait: the status, and the body.
async fn ask(gateway: &Gateway, text: &str, message_id: &str) -> (u16, Value) {
    let body = json!({"to": "bot_main", "text": text, "messageId": message_id}).to_string();
    let request = format!(
        "POST /v1/messages?waitMs=30000&clientId=script HTTP/1.1\r\n\
         Host: {}\r\n\
         Authorization: Bearer {}\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        gateway.door_address(),
        gateway.key,
        body.len(),
    );
    let mut stream = TcpStream::connect(gateway.door_address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}
