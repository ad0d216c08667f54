//! When a gateway is gone, and when it only looks so.

use std::time::Duration;

use client::{Client, ClientEvent};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, interval};

use crate::server::{ScriptedServer, next, reason, soon};

/// What the gateway by hand says of its heartbeat, milliseconds.
const HEARTBEAT_MS: u64 = 400;

#[tokio::test]
async fn a_frame_that_arrives_slowly_is_a_sign_of_life() {
    let server = ScriptedServer::start().await;
    let (connected, mut peer) = tokio::join!(
        Client::connect(server.options()),
        server.accept(HEARTBEAT_MS)
    );
    let (_client, mut events) = connected.unwrap();
    assert!(matches!(next(&mut events).await, ClientEvent::Connected(_)));
    let text = json!({"type": "message", "timestamp": 1, "data": {"from": "bot", "to": "phone",
        "id": "m", "messageId": "m", "connectionId": "conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC",
        "timestamp": "2026-02-11T08:50:00Z", "text": "x".repeat(3000)}})
    .to_string();
    let length = u16::try_from(text.len()).unwrap();
    let frame = [&[0x81, 126][..], &length.to_be_bytes(), text.as_bytes()].concat();
    // Six heartbeats for one frame.
    let mut ticks = interval(Duration::from_millis(HEARTBEAT_MS / 4));
    for part in frame.chunks(frame.len().div_ceil(24)) {
        ticks.tick().await;
        peer.stream().write_all(part).await.unwrap();
    }
    let event = next(&mut events).await;
    assert!(matches!(event, ClientEvent::Message(_)), "{event:?}");
}

#[tokio::test]
async fn a_silent_gateway_is_asked_and_then_gone_after_two_heartbeats() {
    let server = ScriptedServer::start().await;
    let (connected, peer) = tokio::join!(
        Client::connect(server.options()),
        server.accept(HEARTBEAT_MS)
    );
    let (_client, mut events) = connected.unwrap();
    assert!(matches!(next(&mut events).await, ClientEvent::Connected(_)));
    let begun = Instant::now();
    let event = next(&mut events).await;
    let ClientEvent::Disconnected { error, .. } = event else {
        panic!("{event:?}");
    };
    assert_eq!(reason(&error), "timeout");
    assert!(begun.elapsed() >= Duration::from_millis(2 * HEARTBEAT_MS - 50));
    drop(peer);
}

#[tokio::test]
async fn a_gateway_that_answers_when_it_is_asked_is_not_gone() {
    let server = ScriptedServer::start().await;
    let (connected, mut peer) = tokio::join!(
        Client::connect(server.options()),
        server.accept(HEARTBEAT_MS)
    );
    let (_client, mut events) = connected.unwrap();
    assert!(matches!(next(&mut events).await, ClientEvent::Connected(_)));
    // It reads, and so answers pings, and never says anything by itself.
    let silent = tokio::time::timeout(Duration::from_millis(5 * HEARTBEAT_MS), peer.hear());
    assert!(silent.await.is_err(), "nobody said anything");
    peer.say(json!({"type": "bot_status", "timestamp": 1, "data":
        {"botId": "bot", "name": "bot", "status": "offline", "since": 1}}))
        .await;
    let event = soon(next(&mut events)).await;
    assert!(matches!(event, ClientEvent::BotStatus(_)), "{event:?}");
}
