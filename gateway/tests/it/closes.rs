//! Every row of the close table, provoked through a real socket.

use std::time::{Duration, Instant};

use backplane::StoreFault;
use futures_util::{SinkExt, StreamExt};
use protocol::error::Since;
use protocol::{CloseCode, ErrorCode};
use router_core::auth::TokenScope;
use router_core::store::{
    DirectoryQuery, DirectoryReply, StoreFailure, StoreQuery, StoreReply, StoreResult,
};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as Code;

use crate::harness::{Server, eventually, raw_frame, register};
use crate::stalled::fill;

#[tokio::test]
async fn every_row_is_provoked() {
    for close in CloseCode::ALL {
        let code = match Box::pin(provoke(*close)).await {
            Provoked::Now(code) => code,
            // Ten seconds long, so a test of its own.
            Provoked::BySlowness => continue,
            Provoked::Reserved => {
                assert!(
                    matches!(close.since(), Since::Reserved(_)),
                    "{close:?} has no test"
                );
                continue;
            }
        };
        assert_eq!(code, close.code(), "{close:?}");
    }
}

enum Provoked {
    Now(u16),
    BySlowness,
    Reserved,
}

/// A new row does not compile without a line here.
async fn provoke(close: CloseCode) -> Provoked {
    Provoked::Now(match close {
        CloseCode::Done => the_answer_to_our_own_close().await,
        CloseCode::GoingAway => return Provoked::Reserved,
        CloseCode::ProtocolError => after_bytes(b"\x81\x02hi").await,
        CloseCode::Unsupported => after_bytes(&raw_frame(0x82, b"binary")).await,
        CloseCode::InvalidUtf8 => after_bytes(&raw_frame(0x81, b"\xff")).await,
        CloseCode::PolicyViolation => after_bytes(&raw_frame(0x81, b"[]").repeat(20)).await,
        CloseCode::TooBig => after_bytes(b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0").await,
        CloseCode::Internal => load_answered(Ok(StoreReply::Directory(DirectoryReply::Done))).await,
        CloseCode::Restart => restart().await,
        CloseCode::TryLater => {
            load_answered(Err(StoreFailure::Refused(ErrorCode::StoreUnavailable))).await
        }
        CloseCode::Unauthorized => wrong_key().await,
        CloseCode::TokenExpired => token_expired().await,
        CloseCode::Suspended => suspended().await,
        CloseCode::SlowConsumer => return Provoked::BySlowness,
        CloseCode::Replaced => replaced().await,
        CloseCode::Timeout => no_credential().await,
        CloseCode::TooManyRefusals => too_many_refusals().await,
    })
}

async fn after_bytes(bytes: &[u8]) -> u16 {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    socket.write_raw(bytes).await;
    socket.closed().await
}

async fn the_answer_to_our_own_close() -> u16 {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    let frame = CloseFrame {
        code: Code::Normal,
        reason: "".into(),
    };
    socket.0.close(Some(frame)).await.unwrap();
    let code = socket.closed().await;
    assert!(socket.0.next().await.is_none(), "the stream ends too");
    code
}

async fn load_answered(reply: StoreResult) -> u16 {
    let fault: StoreFault = Box::new(move |request| {
        let StoreQuery::Directory(asked) = &request.query else {
            return None;
        };
        matches!(asked.query, DirectoryQuery::Load { .. }).then(|| reply.clone())
    });
    let server = Server::start_faulty(|_| {}, Some(fault)).await;
    server
        .open("/ws", Some(&server.key("alice")))
        .await
        .closed()
        .await
}

async fn restart() -> u16 {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    server.shutdown.begin();
    socket.closed().await
}

async fn wrong_key() -> u16 {
    let server = Server::start().await;
    let key = server.key("alice");
    server
        .open("/ws", Some(&key[..key.len() - 1]))
        .await
        .closed()
        .await
}

async fn token_expired() -> u16 {
    let server = Server::start().await;
    let token = server.token("alice", "phone", TokenScope::Chat, None, 1);
    server.bearer(&token).await.closed().await
}

async fn suspended() -> u16 {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    server.order("alice", "suspend").await;
    socket.closed().await
}

async fn replaced() -> u16 {
    let server = Server::start().await;
    let mut old = server.bot("alice", "bot_a").await;
    let _new = server.bot("alice", "bot_a").await;
    let told = old.expect("bot_unregistered").await;
    assert_eq!(told["data"]["reason"], "replaced");
    old.closed().await
}

async fn no_credential() -> u16 {
    let server =
        Server::start_with(|config| config.handshake_timeout = Duration::from_millis(200)).await;
    server.open("/ws", None).await.closed().await
}

/// Frames that are refused without being bad: 1,000 within 10 s.
async fn too_many_refusals() -> u16 {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    for _ in 0..1000 {
        socket
            .0
            .feed(Message::text(r#"{"type":"task"}"#))
            .await
            .unwrap();
    }
    socket.0.flush().await.unwrap();
    socket.closed().await
}

#[tokio::test]
async fn a_revoke_closes_live_sockets_within_a_second() {
    let server = Server::start().await;
    let mut phone = server.client("alice", "phone").await;
    let mut other = server.client("bob", "phone").await;
    let begun = Instant::now();
    server.order("alice", "revoke").await;
    assert_eq!(phone.closed().await, 4401);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(other.ask(r#"{"type":"ping"}"#).await["type"], "pong");
}

#[tokio::test]
async fn a_socket_that_is_silent_for_two_heartbeats_is_closed() {
    let server = Server::start_with(|config| config.heartbeat = Duration::from_secs(1)).await;
    let mut silent = server.client("alice", "phone").await;
    let mut answers = server.client("alice", "tablet").await;
    let closed = || async { server.metric(r#"t2b_closes_total{code="4410"}"#).await == 1.0 };
    let pongs = async {
        loop {
            let frame = answers.0.next().await;
            assert!(matches!(frame, Some(Ok(Message::Ping(_)))), "{frame:?}");
        }
    };
    // Nobody reads the silent one, so nothing answers its pings.
    tokio::select! {
        () = eventually("the silent socket is closed", closed) => {}
        () = pongs => {}
    }
    assert_eq!(silent.closed().await, 4410);
    let alone = || async { server.metric("t2b_connections").await == 1.0 };
    eventually("the silent socket is gone, the other not", alone).await;
}

#[tokio::test]
async fn an_expired_token_is_told_to_renew() {
    let server = Server::start().await;
    let token = server.token("alice", "phone", TokenScope::Chat, None, -31);
    let mut socket = server.open("/ws", Some(&token)).await;
    socket.expect("status").await;
    assert_eq!(
        socket.expect("auth_error").await["data"]["message"],
        "Token expired"
    );
    assert_eq!(socket.expect("error").await["data"]["code"], 401);
    assert_eq!(socket.closed().await, 4402);
}

#[tokio::test]
async fn the_eleventh_wrong_key_is_throttled() {
    let server = Server::start().await;
    let wrong = "t2b_alice_0123456789abcdef";
    for _ in 0..10 {
        assert_eq!(server.open("/ws", Some(wrong)).await.closed().await, 4401);
    }
    let mut socket = server.open("/ws", Some(wrong)).await;
    socket.expect("status").await;
    socket.expect("auth_error").await;
    let error = socket.expect("error").await;
    assert_eq!(error["data"]["code"], 429);
    assert!(
        error["data"]["retryAfterMs"].as_u64().unwrap() > 50_000,
        "{error}"
    );
    assert_eq!(socket.closed().await, 4429);
    server.client("bob", "phone").await;
}

/// Real time, as the limit is a constant: ten seconds.
#[tokio::test]
async fn a_reader_that_stops_reading_is_closed_after_ten_seconds() {
    let server = Server::start().await;
    let mut tablet = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    fill(&mut phone, "tablet").await;
    let begun = Instant::now();
    let slow = r#"t2b_closes_total{code="4408"}"#;
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    while server.metric(slow).await == 0.0 {
        assert!(begun.elapsed() < Duration::from_secs(12));
        assert_eq!(phone.ask(r#"{"type":"ping"}"#).await["type"], "pong");
        looks.tick().await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(9));
    assert_eq!(tablet.closed().await, 4408);
    eventually("its queue is given back", || async {
        server.metric("t2b_outbound_bytes").await == 0.0
    })
    .await;
}

#[tokio::test]
async fn a_bot_that_registers_again_is_not_replaced() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    assert_eq!(bot.ask(register("bot_a")).await["type"], "bot_registered");
    assert_eq!(bot.ask(r#"{"type":"ping"}"#).await["type"], "pong");
}

/// Its queue is full of messages, so the answer to its own request has no room: it is not dropped
/// silently, and it does not take ten seconds.
#[tokio::test]
async fn a_socket_without_room_for_an_answer_is_closed_at_once() {
    let few = 8;
    let server = Server::start_with(|config| config.limits.outbound_frames = few).await;
    let mut tablet = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    fill(&mut phone, "tablet").await;
    let begun = Instant::now();
    for _ in 0..=few {
        tablet.send(r#"{"type":"ping"}"#).await;
    }
    assert_eq!(tablet.closed().await, 4408);
    assert!(begun.elapsed() < Duration::from_secs(9));
}
