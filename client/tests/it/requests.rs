//! Answers find their requests; what may pass is repeated, and only that.

use client::{Client, ClientError, ClientEvent, members_of};
use protocol::connect::Acks;
use protocol::message::AckStatus;
use protocol::presence::RegisterBot;
use protocol::t2b::frames::SendMessage;
use serde_json::{Value, json};

use crate::server::{ScriptedServer, next, reason, refusal, soon};

fn hello() -> SendMessage {
    SendMessage {
        to: "bot".to_owned(),
        text: Some("hello".to_owned()),
        ..SendMessage::default()
    }
}

fn ack(asked: &Value, status: &str) -> Value {
    json!({"type": "message_ack", "id": asked["id"], "timestamp": 1,
        "data": {"messageId": asked["data"]["messageId"], "status": status}})
}

#[tokio::test]
async fn answers_are_matched_by_id_in_any_order() {
    let (client, _events, mut peer) = ScriptedServer::start().await.connected().await;
    let server = async {
        let (first, second) = (peer.hear().await, peer.hear().await);
        peer.say(ack(&second, "duplicate")).await;
        peer.say(ack(&first, "delivered")).await;
        (first, second)
    };
    let (one, two, (first, second)) =
        tokio::join!(client.send(hello()), client.send(hello()), server);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(one.unwrap().status, AckStatus::Delivered);
    assert_eq!(two.unwrap().status, AckStatus::Duplicate);
}

#[tokio::test]
async fn a_retryable_refusal_is_repeated_three_times_with_the_same_message_id() {
    let (client, _events, mut peer) = ScriptedServer::start().await.connected().await;
    let server = async {
        let mut ids = Vec::new();
        for _ in 0..4 {
            let asked = peer
                .answer("error", refusal("recipient_busy", 503, Some(1)))
                .await;
            ids.push(asked["data"]["messageId"].clone());
        }
        ids
    };
    let (sent, ids) = tokio::join!(client.send(hello()), server);
    assert_eq!(reason(&sent.unwrap_err()), "recipient_busy");
    assert!(
        ids[0].is_string() && ids.iter().all(|id| *id == ids[0]),
        "{ids:?}"
    );
}

#[tokio::test]
async fn a_final_refusal_is_not_repeated() {
    let (client, _events, mut peer) = ScriptedServer::start().await.connected().await;
    let server = async {
        peer.answer("error", refusal("bot_not_found", 403, None))
            .await;
        peer.answer("pong", json!({"timestamp": 1})).await
    };
    let asking = async {
        let sent = client.send(hello()).await;
        client.ping().await.unwrap();
        sent
    };
    let (sent, after) = tokio::join!(asking, server);
    assert_eq!(reason(&sent.unwrap_err()), "bot_not_found");
    assert_eq!(after["type"], "ping", "the message was sent once");
}

#[tokio::test]
async fn bots_are_listed_across_pages() {
    let (client, _events, mut peer) = ScriptedServer::start().await.connected().await;
    let bot = |id: &str| {
        json!({"id": id, "name": id, "type": "bot", "description": "",
            "capabilities": [], "status": "online", "since": 1})
    };
    let server = async {
        let page = json!({"type": "bots_list", "bots": [bot("a")], "nextCursor": "a"});
        peer.answer("status", page).await;
        let last = json!({"type": "bots_list", "bots": [bot("b")]});
        peer.answer("status", last).await
    };
    let (bots, second) = tokio::join!(client.bots(), server);
    let ids: Vec<_> = bots.unwrap().iter().map(|bot| bot.id.to_string()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(second["data"]["cursor"], "a");
}

#[tokio::test]
async fn a_reply_goes_to_the_sender_from_the_bot_that_was_asked() {
    let (client, mut events, mut peer) = ScriptedServer::start().await.connected().await;
    let registered = json!({"id": "bot", "name": "bot", "type": "bot", "description": "",
        "capabilities": [], "status": "online", "since": 1, "epoch": 1});
    let bot = RegisterBot {
        bot_id: "bot".to_owned(),
        ..serde_json::from_value(json!({"botId": "bot"})).unwrap()
    };
    let (done, asked) = tokio::join!(
        client.register(bot),
        peer.answer("bot_registered", registered)
    );
    done.unwrap();
    assert!(asked["data"]["instance"].is_string(), "{asked}");

    peer.say(
        json!({"type": "message", "timestamp": 1, "data": {"from": "phone", "to": "bot",
        "id": "m-1", "messageId": "m-1", "connectionId": "conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC",
        "text": "hi", "mood": {"odd": [1]}}}),
    )
    .await;
    let ClientEvent::Message(message) = next(&mut events).await else {
        panic!("not a message");
    };
    assert_eq!(members_of(&message).text.as_deref(), Some("hi"));
    assert_eq!(message.body["mood"], json!({"odd": [1]}));
    let server = async {
        let asked = peer.hear().await;
        peer.say(ack(&asked, "delivered")).await;
        asked
    };
    let (replied, asked) = tokio::join!(client.reply(&message, "you too"), server);
    replied.unwrap();
    let data = &asked["data"];
    assert_eq!(
        (&data["to"], &data["from"], &data["replyTo"], &data["text"]),
        (
            &json!("phone"),
            &json!("bot"),
            &json!("m-1"),
            &json!("you too")
        )
    );
}

#[tokio::test]
async fn the_upgrade_says_who_and_how() {
    let server = ScriptedServer::start().await;
    let mut options = server.options();
    options.client_id = Some("phone".parse().unwrap());
    options.acks = Acks::Errors;
    let connecting = tokio::spawn(Client::connect(options));
    let (peer, asked) = server.accept_raw().await;
    let expected = "/ws?clientId=phone&acks=errors Bearer t2b_alice_0123456789abcdef";
    assert_eq!(asked, expected);
    drop(peer);
    assert_eq!(
        soon(connecting).await.unwrap().unwrap_err(),
        ClientError::Lost
    );
}

#[tokio::test]
async fn an_answer_that_is_not_understood_is_an_error_of_its_own_request() {
    let (client, _events, mut peer) = ScriptedServer::start().await.connected().await;
    let server = peer.answer("error", json!({"code": 499, "reason": "from_the_future"}));
    let (sent, _) = tokio::join!(client.send(hello()), server);
    assert!(matches!(sent, Err(ClientError::Protocol(_))), "{sent:?}");
}
