//! What waits for a peer: bounded, in order, partials giving way, and nobody else waiting.

use std::time::Duration;

use bytes::Bytes;
use gateway::ws::{
    Budget, Connection, OutgoingFrame, PushOutcome, QueueClass, StreamKey, WriteLimits,
};
use protocol::CloseCode;

use crate::raw::{FIN, PING, PONG, Raw, TEXT};
use crate::server::{Server, Setup, write_limits};

fn message(payload: &Bytes) -> OutgoingFrame {
    OutgoingFrame::text(payload.clone(), QueueClass::Message(None))
}

fn key(stream: &str) -> StreamKey {
    StreamKey::from(format!("bot {stream}"))
}

fn partial(stream: &str, text: &'static str) -> OutgoingFrame {
    OutgoingFrame::text(
        Bytes::from_static(text.as_bytes()),
        QueueClass::Partial(key(stream)),
    )
}

/// Pushes and flushes until the socket takes no more and the queue is full.
fn fill(connection: &std::sync::Arc<Connection>, payload: &Bytes, now_ms: u64) -> usize {
    let mut queued = 0;
    while connection.push(message(payload), now_ms) == PushOutcome::Queued {
        queued += 1;
        connection.flush();
    }
    queued
}

#[tokio::test]
async fn a_reader_that_stops_reading_fills_its_own_queue_only() {
    let limits = write_limits(1 << 20, 4096);
    let budget = limits.budget.clone();
    let mut server = Server::start(Setup {
        write: limits,
        ..Setup::default()
    })
    .await;
    let mut slow = Raw::open(server.address).await;
    let connection = server.connection().await;
    let mut other = Raw::open(server.address).await;

    let payload = Bytes::from(vec![b'x'; 100 * 1024]);
    let queued = fill(&connection, &payload, 5_000);
    let (frames, bytes) = connection.backlog();
    assert_eq!((frames, bytes), (10, 10 * payload.len()));
    assert_eq!(budget.used(), bytes as u64);
    assert_eq!(connection.full_since_ms(), Some(5_000));
    assert!(!connection.overdue(14_999, 10_000) && connection.overdue(15_000, 10_000));

    other.send(FIN | TEXT, b"unimpressed").await;
    other.expect(FIN | TEXT, b"unimpressed").await;

    for _ in 0..queued {
        assert_eq!(slow.frame().await.unwrap().payload.len(), payload.len());
    }
    slow.send(FIN | PING, b"sync").await;
    slow.expect(FIN | PONG, b"sync").await;
    assert_eq!(connection.backlog(), (0, 0));
    assert_eq!(budget.used(), 0);
    assert!(!connection.overdue(u64::MAX, 10_000));
}

#[tokio::test]
async fn a_reader_that_never_reads_again_is_closed_within_two_waits() {
    let mut server = Server::start(Setup::default()).await;
    let slow = Raw::open(server.address).await;
    let connection = server.connection().await;
    fill(&connection, &Bytes::from(vec![b'x'; 100 * 1024]), 0);
    connection.close(CloseCode::SlowConsumer);
    let ended = tokio::time::timeout(Duration::from_secs(10), server.ended())
        .await
        .unwrap();
    assert_eq!(
        ended,
        gateway::ws::ConnectionEnd::Us(CloseCode::SlowConsumer)
    );
    assert_eq!(connection.backlog(), (0, 0));
    let gone = async {
        while std::sync::Arc::strong_count(&connection) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .expect("the writing task ends too");
    drop(slow);
}

#[tokio::test]
async fn the_tenants_budget_refuses_without_blaming_the_connection() {
    let write = WriteLimits {
        bytes: 1 << 20,
        frames: 4096,
        budget: Budget::new(10, None),
    };
    let mut server = Server::start(Setup {
        write,
        ..Setup::default()
    })
    .await;
    let _raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    assert_eq!(
        connection.push(message(&Bytes::from_static(b"01234567890")), 1),
        PushOutcome::Full
    );
    assert_eq!(connection.full_since_ms(), None);
    assert!(connection.set_write_limits(write_limits(1 << 20, 4096)));
    assert_eq!(
        connection.push(message(&Bytes::from_static(b"01234567890")), 1),
        PushOutcome::Queued
    );
}

#[tokio::test]
async fn a_newer_partial_takes_the_place_and_a_message_ends_its_stream() {
    let mut server = Server::start(Setup::default()).await;
    let mut raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    let first = message(&Bytes::from_static(b"first"));
    let done = OutgoingFrame::text(
        Bytes::from_static(b"done"),
        QueueClass::Message(Some(key("t"))),
    );
    for frame in [
        partial("s", "a"),
        partial("t", "x"),
        first,
        partial("s", "ab"),
        done,
    ] {
        assert_eq!(connection.push(frame, 0), PushOutcome::Queued);
    }
    connection.flush();
    for text in ["ab", "first", "done"] {
        raw.expect(FIN | TEXT, text.as_bytes()).await;
    }
    assert_eq!(connection.backlog(), (0, 0));
}

#[tokio::test]
async fn pings_overtake_frames() {
    let mut server = Server::start(Setup::default()).await;
    let mut raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    assert_eq!(
        connection.push(message(&Bytes::from_static(b"data")), 0),
        PushOutcome::Queued
    );
    connection.ping(Bytes::from_static(b"now"));
    connection.flush();
    raw.expect(FIN | PING, b"now").await;
    raw.expect(FIN | TEXT, b"data").await;
}

#[tokio::test]
async fn of_two_who_push_at_once_neither_frame_is_stranded() {
    const ROUNDS: usize = 5000;
    let mut server = Server::start(Setup::default()).await;
    let mut raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(2));
    let push = |connection: &std::sync::Arc<Connection>| {
        assert_eq!(
            connection.push(message(&Bytes::from_static(b"x")), 0),
            PushOutcome::Queued
        );
        connection.flush();
    };
    let (other, gate) = (connection.clone(), barrier.clone());
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::spawn(move || {
        let _inside = runtime.enter();
        for _ in 0..ROUNDS {
            gate.wait();
            push(&other);
        }
    });
    for _ in 0..ROUNDS {
        barrier.wait();
        push(&connection);
        raw.expect(FIN | TEXT, b"x").await;
        raw.expect(FIN | TEXT, b"x").await;
    }
    thread.join().unwrap();
}

#[tokio::test]
async fn many_pushers_lose_nothing() {
    let mut server = Server::start(Setup::default()).await;
    let mut raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    const PUSHERS: u32 = 8;
    const EACH: u32 = 400;
    let runtime = tokio::runtime::Handle::current();
    let threads: Vec<_> = (0..PUSHERS)
        .map(|pusher| {
            let (connection, runtime) = (connection.clone(), runtime.clone());
            std::thread::spawn(move || {
                let _inside = runtime.enter();
                for n in 0..EACH {
                    let text = Bytes::from(format!("{pusher} {n}"));
                    while connection.push(message(&text), 0) != PushOutcome::Queued {
                        std::thread::yield_now();
                    }
                    connection.flush();
                }
            })
        })
        .collect();
    let mut next = [0; PUSHERS as usize];
    for _ in 0..PUSHERS * EACH {
        let text = String::from_utf8(raw.frame().await.unwrap().payload).unwrap();
        let (pusher, n) = text.split_once(' ').unwrap();
        let pusher: usize = pusher.parse().unwrap();
        assert_eq!(n.parse(), Ok(next[pusher]), "in order for each pusher");
        next[pusher] += 1;
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}
