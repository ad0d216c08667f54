//! Bytes are a sign of life: a peer with a slow line is not gone.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::{Instant, interval, timeout};

use crate::harness::{SOON, Server, message, raw_frame};
use crate::stalled::{BULK, fill};

/// So long that a socket which takes nothing for two of them has a peer that reads nothing: the system
/// asks for more when a third of what it holds, a few MB, is gone.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// For how many heartbeats a line is slow.
const HEARTBEATS: u32 = 3;
/// Sockets that were closed because nothing came from them.
const CLOSED: &str = r#"t2b_closes_total{code="4410"}"#;

async fn server() -> Server {
    Server::start_with(|config| config.heartbeat = HEARTBEAT).await
}

#[tokio::test]
async fn a_frame_that_arrives_slowly_does_not_end_its_socket() {
    let server = server().await;
    let mut sender = server.client("alice", "sender").await;
    let mut phone = server.client("alice", "phone").await;
    let frame = raw_frame(0x81, message("phone", &"x".repeat(200_000)).as_bytes());
    let parts = 10 * HEARTBEATS as usize;
    let mut ticks = interval(HEARTBEAT * HEARTBEATS / parts as u32);
    for part in frame.chunks(frame.len().div_ceil(parts)) {
        ticks.tick().await;
        sender.write_raw(part).await;
        // Its peer is alive all the while.
        let _ = timeout(Duration::from_millis(1), phone.next()).await;
    }
    let ack = sender.expect("message_ack").await;
    assert_eq!(ack["data"]["status"], "delivered");
}

#[tokio::test]
async fn a_reader_that_is_slow_and_reads_is_not_gone() {
    let server = server().await;
    let mut slow = server.narrow("alice", "slow").await;
    let mut sender = server.client("alice", "sender").await;
    let queued = fill(&mut sender, "slow").await;
    assert!(queued > 0);
    drop(sender);
    // It reads bytes, and is far from the ping that waits behind them.
    let stream = slow.0.get_mut();
    let ticks_max = 20 * HEARTBEATS as usize;
    let mut ticks = interval(HEARTBEAT / 20);
    // Most of what is on its way, evenly over the time.
    let mut buffer = vec![0; queued * BULK * 4 / 5 / ticks_max];
    let mut read = 0;
    for _ in 0..ticks_max {
        ticks.tick().await;
        let reading = timeout(SOON, stream.read_exact(&mut buffer)).await;
        let ended = reading.unwrap().is_err();
        assert!(!ended, "the stream ended after {read} bytes");
        read += buffer.len();
    }
    assert_eq!(server.metric(CLOSED).await, 0.0);
}

#[tokio::test]
async fn one_that_reads_nothing_is_gone_after_two_heartbeats() {
    let server = server().await;
    let _stalled = server.narrow("alice", "stalled").await;
    let begun = Instant::now();
    let mut ticks = interval(Duration::from_millis(50));
    while server.metric(CLOSED).await == 0.0 {
        assert!(begun.elapsed() < 2 * HEARTBEAT + SOON, "it is still there");
        ticks.tick().await;
    }
    assert!(begun.elapsed() >= 2 * HEARTBEAT - Duration::from_millis(300));
}
