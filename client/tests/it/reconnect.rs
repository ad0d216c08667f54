//! A client that lost its connection comes back, or says why it does not.

use client::{Client, ClientError, ClientEvent};
use protocol::presence::RegisterBot;
use protocol::t2b::frames::SendMessage;
use serde_json::{Value, json};

use crate::server::{ScriptedPeer, ScriptedServer, next, reason, refusal, soon};

fn bot() -> RegisterBot {
    serde_json::from_value(json!({"botId": "bot"})).unwrap()
}

fn registered() -> Value {
    json!({"id": "bot", "name": "bot", "type": "bot", "description": "", "capabilities": [],
        "status": "online", "since": 1, "epoch": 1})
}

async fn register(client: &Client, peer: &mut ScriptedPeer) -> Value {
    let answering = peer.answer("bot_registered", registered());
    let (done, asked) = tokio::join!(client.register(bot()), answering);
    done.unwrap();
    asked["data"]["instance"].clone()
}

/// Closes with 4429 and says to come back at once, as that keeps a test short.
async fn throw_out(mut peer: ScriptedPeer) {
    let data = refusal("rate_limited", 429, Some(1));
    peer.say(json!({"type": "error", "data": data, "timestamp": 1}))
        .await;
    peer.close(4429).await;
}

#[tokio::test]
async fn bots_are_registered_again_as_the_same_instance() {
    let server = ScriptedServer::start().await;
    let (client, mut events, mut peer) = server.connected().await;
    let first = register(&client, &mut peer).await;
    throw_out(peer).await;
    let mut peer = server.accept(25_000).await;
    let again = peer.answer("bot_registered", registered()).await;
    assert_eq!(again["data"]["instance"], first);
    assert!(first.is_string());
    assert!(matches!(next(&mut events).await, ClientEvent::Refused(_)));
    let ClientEvent::Disconnected { retry_in, .. } = next(&mut events).await else {
        panic!("the loss is told");
    };
    assert!(
        retry_in.is_some_and(|wait| wait.as_millis() < 10),
        "{retry_in:?}"
    );
    assert!(matches!(next(&mut events).await, ClientEvent::Connected(_)));
    assert!(matches!(
        next(&mut events).await,
        ClientEvent::Registered(_)
    ));
}

#[tokio::test]
async fn a_refusal_that_passes_does_not_cost_the_bot() {
    let server = ScriptedServer::start().await;
    let (client, mut events, mut peer) = server.connected().await;
    register(&client, &mut peer).await;
    throw_out(peer).await;
    let mut peer = server.accept(25_000).await;
    for _ in 0..3 {
        let passing = refusal("store_unavailable", 503, Some(1));
        peer.answer("error", passing).await;
    }
    peer.answer("bot_registered", registered()).await;
    while !matches!(next(&mut events).await, ClientEvent::Registered(_)) {}
}

#[tokio::test]
async fn a_message_in_flight_is_repeated_on_the_next_connection() {
    let server = ScriptedServer::start().await;
    let (client, _events, mut peer) = server.connected().await;
    let message = SendMessage {
        to: "bot".to_owned(),
        ..SendMessage::default()
    };
    let serving = async {
        let first = peer.hear().await;
        throw_out(peer).await;
        let mut peer = server.accept(25_000).await;
        let again = peer.hear().await;
        let data = json!({"messageId": again["data"]["messageId"], "status": "duplicate"});
        peer.say(json!({"type": "message_ack", "data": data, "id": again["id"], "timestamp": 1}))
            .await;
        (first, again, peer)
    };
    let (sent, (first, again, _peer)) = tokio::join!(client.send(message), serving);
    sent.unwrap();
    assert_eq!(first["data"]["messageId"], again["data"]["messageId"]);
}

#[tokio::test]
async fn four_closes_end_the_client() {
    for code in [4401, 4402, 4403, 4409] {
        let server = ScriptedServer::start().await;
        let (client, mut events, peer) = server.connected().await;
        peer.close(code).await;
        let ClientEvent::Disconnected { error, retry_in } = next(&mut events).await else {
            panic!("{code}: the end is told");
        };
        assert!(matches!(error, ClientError::Closed { code: told, .. } if told == code));
        assert_eq!(retry_in, None);
        assert_eq!(soon(events.next()).await, None, "{code}");
        assert_eq!(client.ping().await, Err(error), "{code}");
    }
}

/// What a proxy says while the gateway behind it restarts. None of it is the gateway's own word.
const PASSING: [&str; 6] = [
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: https://sorry.invalid/\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    "this is no HTTP\r\n\r\n",
];

#[tokio::test]
async fn what_a_proxy_says_during_a_restart_does_not_end_the_client() {
    let cases = PASSING.map(async |answer| {
        let server = ScriptedServer::start().await;
        let (client, mut events, peer) = server.connected().await;
        throw_out(peer).await;
        server.answer_instead(answer.as_bytes()).await;
        let mut peer = server.accept(25_000).await;
        let (pinged, _) = tokio::join!(client.ping(), peer.answer("pong", json!({"timestamp": 1})));
        pinged.unwrap();
        let mut reasons = Vec::new();
        let mut event = next(&mut events).await;
        while !matches!(event, ClientEvent::Connected(_)) {
            if let ClientEvent::Disconnected { error, retry_in } = event {
                assert!(retry_in.is_some(), "{answer}: {error}");
                reasons.push(error.to_string());
            }
            event = next(&mut events).await;
        }
        let status = answer.split(' ').nth(1).unwrap();
        let shown = reasons.last().unwrap();
        let names_it = shown.contains(status) || shown.contains("not answer as a WebSocket");
        assert!(names_it, "{answer}: {reasons:?}");
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn the_first_attempt_fails_with_what_was_answered() {
    let server = ScriptedServer::start().await;
    let refusing = server.answer_instead(PASSING[0].as_bytes());
    let (connected, ()) = tokio::join!(Client::connect(server.options()), refusing);
    assert_eq!(connected.unwrap_err(), ClientError::Upgrade { status: 404 });
}

#[tokio::test]
async fn a_refused_credential_is_told_with_the_gateways_reason() {
    let server = ScriptedServer::start().await;
    let refusing = async {
        let (mut peer, _) = server.accept_raw().await;
        let data = refusal("unauthorized", 401, None);
        peer.say(json!({"type": "error", "data": data, "timestamp": 1}))
            .await;
        peer.close(4401).await;
    };
    let (connected, ()) = tokio::join!(Client::connect(server.options()), refusing);
    assert_eq!(reason(&connected.unwrap_err()), "unauthorized");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let options = ScriptedServer::start().await.options();
    let error = Client::connect(options).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn silence_for_two_heartbeats_is_a_loss() {
    let server = ScriptedServer::start().await;
    let (connected, _silent) = tokio::join!(Client::connect(server.options()), server.accept(20));
    let (_client, mut events) = connected.unwrap();
    assert!(matches!(next(&mut events).await, ClientEvent::Connected(_)));
    let ClientEvent::Disconnected { error, .. } = next(&mut events).await else {
        panic!("the loss is told");
    };
    assert_eq!(error, ClientError::Timeout);
    server.accept(25_000).await;
    assert!(matches!(next(&mut events).await, ClientEvent::Connected(_)));
}

#[tokio::test]
async fn migrate_opens_the_new_connection_before_it_leaves_the_old() {
    let server = ScriptedServer::start().await;
    let (client, mut events, mut old) = server.connected().await;
    let instance = register(&client, &mut old).await;
    old.say(json!({"type": "migrate", "timestamp": 1,
        "data": {"reason": "restart", "reconnectWithinMs": 1}}))
        .await;
    let mut new = server.accept(25_000).await;
    let again = new.answer("bot_registered", registered()).await;
    assert_eq!(again["data"]["instance"], instance);
    // What the old one loses to the new is no news.
    old.say(json!({"type": "bot_unregistered", "timestamp": 1,
        "data": {"botId": "bot", "reason": "replaced", "epoch": 2}}))
        .await;
    assert!(old.sees_a_close().await);
    assert!(matches!(next(&mut events).await, ClientEvent::Migrate(_)));
    assert!(matches!(next(&mut events).await, ClientEvent::Connected(_)));
    assert!(matches!(
        next(&mut events).await,
        ClientEvent::Registered(_)
    ));
    let (pinged, _) = tokio::join!(client.ping(), new.answer("pong", json!({"timestamp": 1})));
    pinged.unwrap();
    client.close().await;
    assert!(matches!(
        next(&mut events).await,
        ClientEvent::Disconnected {
            error: ClientError::Stopped,
            ..
        }
    ));
    assert_eq!(soon(events.next()).await, None, "nothing else happened");
}

#[tokio::test]
async fn a_bot_that_was_taken_over_is_not_registered_again() {
    let server = ScriptedServer::start().await;
    let (client, mut events, mut peer) = server.connected().await;
    register(&client, &mut peer).await;
    peer.say(json!({"type": "bot_unregistered", "timestamp": 1,
        "data": {"botId": "bot", "reason": "replaced", "epoch": 2}}))
        .await;
    assert!(matches!(
        next(&mut events).await,
        ClientEvent::Unregistered(_)
    ));
    throw_out(peer).await;
    let mut peer = server.accept(25_000).await;
    let (pinged, first) = tokio::join!(client.ping(), peer.answer("pong", json!({"timestamp": 1})));
    pinged.unwrap();
    assert_eq!(first["type"], "ping");
}

#[tokio::test]
async fn closing_and_dropping_both_close_the_connection() {
    let server = ScriptedServer::start().await;
    let (client, _events, peer) = server.connected().await;
    let (closed, ()) = tokio::join!(peer.sees_a_close(), client.close());
    assert!(closed);
    let (client, mut events, peer) = server.connected().await;
    drop(client);
    assert!(peer.sees_a_close().await);
    assert!(matches!(
        next(&mut events).await,
        ClientEvent::Disconnected { .. }
    ));
    assert_eq!(soon(events.next()).await, None);
}
