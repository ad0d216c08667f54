//! How connections end, and how they wait.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gateway::ws::{ConnectionEnd, OutgoingFrame, PushOutcome, QueueClass};
use protocol::CloseCode;

use crate::raw::{CLOSE, FIN, PING, PONG, Raw, TEXT, masked};
use crate::server::{Server, Setup};

#[tokio::test]
async fn the_peers_close_is_echoed_after_what_is_queued() {
    let mut server = Server::start(Setup::default()).await;
    let mut raw = Raw::open(server.address).await;
    let mut frames = masked(FIN | TEXT, b"last words");
    frames.extend(masked(FIN | CLOSE, &4000u16.to_be_bytes()));
    frames.extend(masked(FIN | TEXT, b"nobody hears this"));
    raw.bytes(&frames).await;
    raw.expect(FIN | TEXT, b"last words").await;
    raw.expect_close(4000).await;
    drop(raw);
    assert_eq!(server.ended().await, ConnectionEnd::Peer(Some(4000)));
}

#[tokio::test]
async fn our_close_follows_what_is_queued_and_waits_for_the_peers() {
    let mut server = Server::start(Setup::default()).await;
    let mut raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    for text in ["one", "two"] {
        let frame = OutgoingFrame::text(
            Bytes::from_static(text.as_bytes()),
            QueueClass::Message(None),
        );
        assert_eq!(connection.push(frame, 0), PushOutcome::Queued);
    }
    connection.close(CloseCode::Restart);
    connection.close(CloseCode::Internal);
    let late = OutgoingFrame::text(Bytes::from_static(b"late"), QueueClass::Answer);
    assert_eq!(connection.push(late, 0), PushOutcome::Gone);
    raw.expect(FIN | TEXT, b"one").await;
    raw.expect(FIN | TEXT, b"two").await;
    raw.expect_close(1012).await;
    drop(raw);
    assert_eq!(server.ended().await, ConnectionEnd::Us(CloseCode::Restart));
    assert_eq!(connection.backlog(), (0, 0));
}

#[tokio::test]
async fn a_peer_that_never_answers_our_close_is_let_go_after_two_seconds() {
    let mut server = Server::start(Setup::default()).await;
    let mut raw = Raw::open(server.address).await;
    let begin = Instant::now();
    raw.send(FIN | TEXT, b"!close").await;
    assert_eq!(
        raw.frame().await.unwrap().payload[..2],
        1012u16.to_be_bytes()
    );
    assert_eq!(server.ended().await, ConnectionEnd::Us(CloseCode::Restart));
    let took = begin.elapsed();
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(10)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_lost() {
    let mut server = Server::start(Setup::default()).await;
    let raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    drop(raw);
    assert_eq!(server.ended().await, ConnectionEnd::Lost);
    let frame = OutgoingFrame::text(Bytes::from_static(b"x"), QueueClass::Answer);
    assert_eq!(connection.push(frame, 0), PushOutcome::Gone);
}

#[tokio::test]
async fn a_panic_closes_its_own_connection_only() {
    let mut server = Server::start(Setup::default()).await;
    let mut other = Raw::open(server.address).await;
    let mut raw = Raw::open(server.address).await;
    raw.send(FIN | TEXT, b"!panic").await;
    raw.expect_close(1011).await;
    drop(raw);
    assert_eq!(server.ended().await, ConnectionEnd::Us(CloseCode::Internal));
    other.send(FIN | TEXT, b"alive").await;
    other.expect(FIN | TEXT, b"alive").await;
}

#[tokio::test]
async fn frames_behind_a_pause_wait_for_its_end() {
    let mut server = Server::start(Setup::default()).await;
    let mut raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    let mut frames = masked(FIN | TEXT, b"before");
    frames.extend(masked(FIN | TEXT, b"!pause"));
    frames.extend(masked(FIN | TEXT, b"behind"));
    raw.bytes(&frames).await;
    raw.expect(FIN | TEXT, b"before").await;
    // Written by us while the reader waits; nothing else may come before it.
    raw.send(FIN | PING, b"unheard").await;
    connection.ping(Bytes::from_static(b"paused"));
    connection.flush();
    raw.expect(FIN | PING, b"paused").await;
    connection.resume();
    raw.expect(FIN | TEXT, b"behind").await;
    raw.expect(FIN | PONG, b"unheard").await;

    // The end of a pause may come first.
    connection.resume();
    frames = masked(FIN | TEXT, b"!pause");
    frames.extend(masked(FIN | TEXT, b"again"));
    raw.bytes(&frames).await;
    raw.expect(FIN | TEXT, b"again").await;
}

#[tokio::test]
async fn a_paused_connection_can_be_closed() {
    let mut server = Server::start(Setup::default()).await;
    let mut raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    raw.send(FIN | TEXT, b"!pause").await;
    connection.close(CloseCode::Timeout);
    raw.expect_close(4410).await;
}
