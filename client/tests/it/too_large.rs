//! What the gateway would close a connection for is refused here, and what it did close one for is
//! not sent again.

use client::ClientError;
use protocol::t2b::frames::SendMessage;
use serde_json::json;

use crate::server::{ScriptedServer, next, reason, soon};

/// What the server says in `auth_ok`.
const FRAME_BYTES: usize = 262_144;

fn message(text: String) -> SendMessage {
    SendMessage {
        to: "bot".to_owned(),
        text: Some(text),
        message_id: Some("m-1".to_owned()),
        ..SendMessage::default()
    }
}

#[tokio::test]
async fn a_frame_over_the_gateways_limit_is_refused_before_it_is_sent() {
    let (client, _events, mut peer) = ScriptedServer::start().await.connected().await;
    let sending = async {
        let sent = client.send(message("x".repeat(FRAME_BYTES))).await;
        let posted = client.post(message("x".repeat(FRAME_BYTES))).await;
        client.ping().await.unwrap();
        (sent.unwrap_err(), posted.unwrap_err())
    };
    let serving = peer.answer("pong", json!({"timestamp": 1}));
    let ((sent, posted), first) = tokio::join!(sending, serving);
    assert_eq!(first["type"], "ping", "nothing else was sent");
    for error in [sent, posted] {
        assert_eq!(reason(&error), "too_large");
        assert!(!error.retryable());
        assert!(error.to_string().contains("262144"), "{error}");
    }
}

#[tokio::test]
async fn a_frame_of_exactly_the_limit_is_sent() {
    let (client, _events, mut peer) = ScriptedServer::start().await.connected().await;
    let frame = json!({"type": "message", "id": "1",
        "data": {"to": "bot", "text": "", "messageId": "m-1"}});
    let room = FRAME_BYTES - frame.to_string().len();
    let (sent, heard) = tokio::join!(client.send(message("x".repeat(room))), async {
        let heard = peer.hear().await;
        let data = json!({"messageId": "m-1", "status": "delivered"});
        peer.say(json!({"type": "message_ack", "data": data, "id": heard["id"], "timestamp": 1}))
            .await;
        heard
    });
    sent.unwrap();
    assert_eq!(heard.to_string().len(), FRAME_BYTES);
    let error = client.send(message("x".repeat(room + 1))).await;
    assert_eq!(reason(&error.unwrap_err()), "too_large");
}

/// The table of close codes says of them: not repeat it.
#[tokio::test]
async fn a_close_that_forbids_repetition_answers_what_was_in_flight() {
    let cases = [1002, 1003, 1007, 1009].map(async |code| {
        let server = ScriptedServer::start().await;
        let (client, mut events, mut peer) = server.connected().await;
        let serving = async {
            peer.hear().await;
            peer.close(code).await;
            let mut peer = server.accept(25_000).await;
            peer.answer("pong", json!({"timestamp": 1})).await
        };
        let sending = async {
            let sent = client.send(message("what it cannot take".to_owned())).await;
            client.ping().await.unwrap();
            sent
        };
        let (sent, after) = tokio::join!(sending, serving);
        assert_eq!(after["type"], "ping", "{code}: the message was sent again");
        let error = sent.unwrap_err();
        assert!(
            matches!(error, ClientError::Closed { code: told, .. } if told == code),
            "{error:?}"
        );
        assert!(!error.retryable(), "{code}");
        let lost = next(&mut events).await;
        assert!(format!("{lost:?}").contains(&code.to_string()), "{lost:?}");
    });
    soon(futures_util::future::join_all(cases)).await;
}
