//! The main job: a bot registers, its owner's client talks with it, nobody else can.

use crate::harness::Server;

#[tokio::test]
async fn a_client_talks_with_its_bot() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_clawra").await;
    let mut phone = server.client("alice", "phone").await;

    phone.send(r#"{"type":"message","data":{"to":"bot_clawra","text":"Hello!","messageId":"m-1"},"id":"3"}"#).await;
    let ack = phone.expect("message_ack").await;
    assert_eq!(
        (&ack["id"], &ack["data"]["status"]),
        (&"3".into(), &"delivered".into())
    );
    let got = bot.expect("message").await;
    assert_eq!(
        (&got["data"]["from"], &got["data"]["text"]),
        (&"phone".into(), &"Hello!".into())
    );

    bot.send(r#"{"type":"message_partial","data":{"to":"phone","from":"bot_clawra","streamId":"s1","seq":1,"text":"I'm do"}}"#).await;
    bot.send(r#"{"type":"message","data":{"to":"phone","from":"bot_clawra","text":"I'm doing great","replyTo":"m-1","streamId":"s1"},"id":"9"}"#).await;
    assert_eq!(
        phone.expect("message_partial").await["data"]["text"],
        "I'm do"
    );
    assert_eq!(phone.expect("message").await["data"]["replyTo"], "m-1");
    assert_eq!(bot.expect("message_ack").await["id"], "9");
}

#[tokio::test]
async fn another_tenant_does_not_exist() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_clawra").await;
    let mut mallory = server.client("mallory", "phone").await;
    mallory
        .send(r#"{"type":"message","data":{"to":"bot_clawra","text":"psst"},"id":"1"}"#)
        .await;
    let theirs = mallory.expect("error").await;
    mallory
        .send(r#"{"type":"message","data":{"to":"bot_nobody","text":"psst"},"id":"1"}"#)
        .await;
    let nobodys = mallory.expect("error").await;
    assert_eq!(theirs["data"], nobodys["data"]);
    assert_eq!(theirs["data"]["reason"], "bot_not_found");
    bot.send(r#"{"type":"ping"}"#).await;
    bot.expect("pong").await;
}
