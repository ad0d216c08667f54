//! A node is killed while the ledger lacks what it counted, and comes back when the hour is closed: the hour stays as
//! it was exported, and a later hour has the rest.
//!
//! All processes, Redis too, have a clock that stands shortly before the end of an hour, and is then set forward.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fixtures::until;
use protocol::UsageHour;
use protocol::http::{UsagePage, UsageRow};
use serde_json::json;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::fake_clock::FakeClock;
use crate::gateway::GatewayNode;

/// How long before the end of the hour the case begins, and after it everything is closed.
const BEFORE_MS: i64 = 5 * 60_000;
const AFTER_MS: i64 = 13 * 60_000;
/// Messages by way of the node that is killed, and of the other.
const UNBOOKED: u64 = 3;
const BOOKED: u64 = 5;

pub async fn a_closed_hour_never_changes() -> String {
    let Some(clock) = FakeClock::new() else {
        return "skipped: no libfaketime".to_owned();
    };
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = now_ms.as_millis() as u64;
    let hour = UsageHour::of(now_ms);
    let to_end_ms = hour.end_ms() as i64 - now_ms as i64;
    clock.set(&format!("{:+}", (to_end_ms - BEFORE_MS) / 1000));
    let with = |flush: &str| {
        let flush = ("T2B_USAGE_FLUSH", flush.to_owned());
        [clock.environment(), vec![flush]].concat()
    };
    let mut cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        environment: with("1s"),
        first: with("5m"),
        redis_environment: clock.environment(),
        ..ClusterSetup::default()
    })
    .await;

    talk(&cluster, 0, UNBOOKED).await;
    talk(&cluster, 1, BOOKED).await;
    journal_is_whole(&cluster.nodes[0]).await;
    until("the other node has booked what it counted", async || {
        let rows = page(&cluster.nodes[1], hour, true).await.rows;
        (accepted(&rows)?.0 == BOOKED).then_some(())
    })
    .await;
    cluster.nodes[0].kill();
    clock.set(&format!("{:+}", (to_end_ms + AFTER_MS) / 1000));
    let reader = &cluster.nodes[1];
    until("the hour is closed", async || {
        let page = page(reader, hour, false).await;
        (page.closed_until >= hour.plus(1).rfc3339()).then_some(())
    })
    .await;
    let rows = page(reader, hour, false).await.rows;
    let csv = reader.usage_export(hour).await;
    assert_eq!(accepted(&rows), Some((BOOKED, 0)));

    cluster.nodes[0].restart().await;
    let late = r#"t2b_usage_flush_total{result="late"}"#;
    until("the killed node's journal is booked", async || {
        (cluster.nodes[0].metrics().await[late] >= 1.0).then_some(())
    })
    .await;
    for node in &cluster.nodes {
        until("the node knows that the hour is closed", async || {
            let page = page(node, hour, false).await;
            (page.closed_until >= hour.plus(1).rfc3339()).then_some(())
        })
        .await;
        assert_eq!(page(node, hour, false).await.rows, rows);
        assert_eq!(node.usage_export(hour).await, csv);
    }
    let next = page(&cluster.nodes[1], hour.plus(1), true).await.rows;
    assert_eq!(accepted(&next), Some((UNBOOKED, UNBOOKED)));
    let checked = cluster.nodes[1].usage_check_hours(hour).await;
    assert!(checked.contains(" 0 things wrong"), "{checked}");
    let lines = csv.lines().count();
    format!("{lines} lines of the hour stay, {UNBOOKED} messages are late in the next; {checked}")
}

/// A tenant sends messages to its bot, on one node, and leaves.
async fn talk(cluster: &TestCluster, node: usize, messages: u64) {
    let bot_id = format!("bot_{node}");
    let mut bot = cluster.bot(node, "alice", &bot_id).await;
    let mut phone = cluster.socket(node, "alice", "phone").await;
    for _ in 0..messages {
        let answer = phone
            .ask("message", json!({"to": bot_id, "text": "hello"}))
            .await;
        assert_eq!(answer["data"]["status"], "delivered", "{answer}");
        bot.expect("message").await;
    }
}

/// Waits until nobody is connected any more, and the journal does not grow.
async fn journal_is_whole(node: &GatewayNode) {
    let mut last = (0, Instant::now());
    until("the journal has all", async || {
        let bytes = node.journal_bytes();
        if bytes != last.0 {
            last = (bytes, Instant::now());
        }
        let is_quiet = bytes > 0 && last.1.elapsed() > Duration::from_millis(500);
        (is_quiet && node.metrics().await["t2b_connections"] == 0.0).then_some(())
    })
    .await;
}

/// The rows of an hour.
async fn page(node: &GatewayNode, hour: UsageHour, open: bool) -> UsagePage {
    let (from, to) = (hour.rfc3339(), hour.plus(1).rfc3339());
    let path = format!("/admin/v1/usage?from={from}&to={to}&open={open}");
    let (status, body) = node.get(&path).await.expect("an answer");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// The messages that were accepted, and how many of them are late.
fn accepted(rows: &[UsageRow]) -> Option<(u64, u64)> {
    let mut rows = rows.iter();
    let row = rows.find(|row| row.meter.name() == "messages_accepted")?;
    let late = row.late.as_ref().and_then(serde_json::Number::as_u64);
    Some((row.amount()?, late.unwrap_or(0)))
}
