//! Too much of everything: floods, readers that stop, small frames cut out of large ones.

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use gateway::ws::SEND_BUFFER_BYTES;
use protocol::Limits;
use protocol::limits::{UNPAID_ANSWERS_MAX, UNPAID_BYTES_PER_SECOND};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::bystanders::Bystanders;
use crate::harness::{Server, Socket, eventually, message, register, unlimited_rates};
use crate::stalled::{BULK, fill};

/// Frames of one flood: the burst, and twice as many refusals as are borne.
const FLOOD: usize = 3000;
/// Large frames of one socket, fewer than its own rate takes.
const FEW: u32 = 12;

/// Sends a flood and says how the socket ended; `None`: it lives and is still answered.
async fn flood(mut socket: Socket, frame: &str) -> Option<u16> {
    for _ in 0..FLOOD {
        // The gateway may have closed meanwhile.
        if socket.0.feed(Message::text(frame)).await.is_err() {
            break;
        }
    }
    let _ = socket
        .0
        .send(Message::text(r#"{"type":"ping","id":"last"}"#))
        .await;
    loop {
        match socket.next().await {
            Ok(frame) if frame["id"] == "last" => return None,
            Ok(_) => {}
            Err(frame) => return Some(frame.map_or(1006, |frame| frame.code.into())),
        }
    }
}

#[tokio::test]
async fn floods_of_every_frame_type_are_ended_or_dropped() {
    let server = Server::start().await;
    let bystanders = Bystanders::of(&server).await;
    let bot = |kind: &str| json!({"type": kind, "data": {"botId": "bot_a"}}).to_string();
    for (frame, end) in [
        (
            r#"{"type":"auth","data":{"apiKey":"x"}}"#.to_owned(),
            Some(1008),
        ),
        (r#"{"type":"shout"}"#.to_owned(), Some(1008)),
        ("[]".to_owned(), Some(1008)),
        (bot("register_bot"), Some(4429)),
        (bot("unregister_bot"), Some(4429)),
        (bot("subscribe"), Some(4429)),
        (bot("unsubscribe"), Some(4429)),
        (message("nobody", "hi"), Some(4429)),
        (
            r#"{"type":"message_partial","data":{"to":"x","streamId":"s","seq":1,"text":""}}"#
                .to_owned(),
            None,
        ),
        (
            r#"{"type":"typing","data":{"to":"x","active":true}}"#.to_owned(),
            None,
        ),
        (r#"{"type":"list_bots"}"#.to_owned(), Some(4429)),
        (
            r#"{"type":"status","data":{"request":"bots"}}"#.to_owned(),
            Some(4429),
        ),
        (
            r#"{"type":"received","data":{"epoch":1,"offset":1}}"#.to_owned(),
            Some(4429),
        ),
        (r#"{"type":"task","data":{}}"#.to_owned(), Some(4429)),
        (r#"{"type":"task_update","data":{}}"#.to_owned(), Some(4429)),
        (r#"{"type":"ping"}"#.to_owned(), Some(4429)),
    ] {
        let socket = server.client("alice", "phone").await;
        assert_eq!(flood(socket, &frame).await, end, "{frame}");
    }
    assert!(server.metric("t2b_best_effort_dropped_total").await >= 2.0 * FLOOD as f64);
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test]
async fn pings_within_the_rate_of_frames_are_ended_too() {
    let server = Server::start().await;
    let pings = UNPAID_ANSWERS_MAX as usize;
    assert!(pings <= Limits::default().frames_burst as usize);
    let mut socket = server.client("alice", "phone").await;
    for _ in 0..pings {
        socket.send(r#"{"type":"ping"}"#).await;
    }
    for _ in 1..pings {
        socket.expect("pong").await;
    }
    assert_eq!(socket.closed().await, 4429);
}

/// A frame that costs much to read, and that no rate pays for, is followed by a wait, and the sockets of
/// a tenant take turns: what they send beyond their rates cannot keep the node busy.
#[tokio::test]
async fn large_frames_beyond_the_rate_are_read_slowly() {
    let server = Server::start_with(|config| {
        (
            config.limits.messages_per_second,
            config.limits.messages_burst,
        ) = (1, 1);
    })
    .await;
    let text = "x".repeat(200 * 1024);
    let partial = json!({"to": "nobody", "streamId": "s", "seq": 1, "text": &text[..60_000]});
    let partial = json!({"type": "message_partial", "data": partial}).to_string();
    let padded = json!({"type": "ping", "padding": &text}).to_string();
    for frame in [message("nobody", &text), partial, padded] {
        let mut pair = [
            server.client("alice", "phone").await,
            server.client("alice", "desk").await,
        ];
        // What is left of the rate.
        while pair[0].ask(message("nobody", "x")).await["data"]["reason"] != "rate_limited" {}
        let begun = Instant::now();
        for _ in 0..FEW {
            for socket in &mut pair {
                socket.send(frame.as_str()).await;
            }
        }
        for socket in &mut pair {
            socket.send(r#"{"type":"ping","id":"last"}"#).await;
            while socket.next().await.expect("it stays open")["id"] != "last" {}
        }
        let bytes = frame.len() as u64 * 2 * u64::from(FEW);
        let least = Duration::from_millis(1000 * bytes / UNPAID_BYTES_PER_SECOND - 1);
        assert!(begun.elapsed() >= least, "{least:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_flood_before_the_credential_is_ended() {
    let server = Server::start().await;
    for (frame, end) in [
        (message("bot_a", "hi"), 1008),
        (r#"{"type":"ping"}"#.to_owned(), 1008),
    ] {
        let mut socket = server.open("/ws", None).await;
        socket.expect("status").await;
        assert_eq!(flood(socket, &frame).await, Some(end), "{frame}");
    }
    eventually("nothing waits", || async {
        server.metric("t2b_outbound_bytes").await == 0.0
    })
    .await;
}

#[tokio::test]
async fn readers_that_stop_hold_no_more_than_their_budgets() {
    let server = Server::start_with(|config| {
        config.limits.outbound_bytes_per_tenant = 5 * 512 * 1024;
        unlimited_rates(&mut config.limits);
    });
    let server = server.await;
    let bystanders = Bystanders::of(&server).await;
    let mut phone = server.client("alice", "phone").await;
    let mut stalled = Vec::new();
    let held = || server.metric("t2b_outbound_bytes");
    for i in 1..=4 {
        let name = format!("tablet{i}");
        stalled.push(server.narrow("alice", &name).await);
        fill(&mut phone, &name).await;
        let most = (i * 1024 * 1024).min(5 * 512 * 1024);
        let bytes = held().await;
        // The bystanders' frames pass through the same gauge.
        assert!(
            bytes > (most - 2 * BULK) as f64
                && bytes < (most + i * SEND_BUFFER_BYTES + 4096) as f64,
            "{i}: {bytes}"
        );
    }
    phone
        .refused(message("tablet1", &"x".repeat(BULK)), "recipient_busy")
        .await;
    drop((stalled, phone));
    bystanders.noticed_nothing(&server).await;
}

/// A large frame to X, then a small one to Y who does not read: were the small ones slices of what
/// was read, each would keep a large one alive.
#[tokio::test]
async fn small_frames_do_not_pin_large_ones() {
    const ROUNDS: usize = 200;
    let server = Server::start_with(|config| {
        unlimited_rates(&mut config.limits);
    })
    .await;
    let bystanders = Bystanders::of(&server).await;
    let mut slow = server.narrow("alice", "slow").await;
    let mut fast = server.client("alice", "fast").await;
    let mut phone = server.client("alice", "phone").await;
    // Until something waits in the gateway and not in the system.
    while server.metric("t2b_outbound_bytes").await < (SEND_BUFFER_BYTES + 64 * 1024) as f64 {
        phone.tell("slow", &"x".repeat(BULK)).await;
    }
    let large = "x".repeat(255 * 1024);
    let (waiting, memory) = (server.metric("t2b_outbound_bytes").await, resident_bytes());
    for _ in 0..ROUNDS {
        // In one write, so that the gateway reads the small one into the large one's buffer.
        phone
            .0
            .feed(Message::text(message("fast", &large)))
            .await
            .unwrap();
        phone
            .0
            .feed(Message::text(message("slow", &"y".repeat(100))))
            .await
            .unwrap();
        phone.0.flush().await.unwrap();
        for _ in 0..2 {
            assert_eq!(
                phone.expect("message_ack").await["data"]["status"],
                "delivered"
            );
        }
        fast.expect("message").await;
    }
    let more = || async { server.metric("t2b_outbound_bytes").await - waiting };
    // Until the kernel is asked, it is taken to hold what the fast one has read long ago.
    let few = || async { more().await < (ROUNDS * 600) as f64 };
    eventually("only the small ones wait", few).await;
    assert!(more().await > (ROUNDS * 100) as f64);
    let grown = resident_bytes().saturating_sub(memory);
    assert!(
        grown < ROUNDS * large.len() / 2,
        "{grown} bytes more in memory"
    );
    while slow.expect("message").await["data"]["text"]
        .as_str()
        .unwrap()
        .starts_with('x')
    {}
    drop((slow, fast, phone));
    bystanders.noticed_nothing(&server).await;
}

/// What the process keeps in memory. Source: proc(5), statm, in pages of 4 KiB.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn many_bots_that_come_and_go_are_told_newest_only() {
    let server = Server::start().await;
    let mut watcher = server.client("alice", "watcher").await;
    let mut host = server.bot("alice", "bot_z").await;
    for _ in 0..20 {
        host.ask(register("bot_a")).await;
        host.ask(json!({"type": "unregister_bot", "data": {"botId": "bot_a"}}).to_string())
            .await;
    }
    host.ask(register("bot_last")).await;
    let mut told = 0;
    while watcher.expect("bot_status").await["data"]["botId"] != "bot_last" {
        told += 1;
    }
    assert!(told < 20, "{told} frames for 40 changes");
}
