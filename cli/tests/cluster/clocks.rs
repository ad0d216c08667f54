//! The system clock of a node is two hours off, and is then set right: of one of two nodes, and of a node
//! alone. A node of a cluster that is off at its start does not start.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fixtures::{pass_until, until};
use serde_json::{Value, json};

use crate::cluster::{ClusterSetup, TestCluster};
use crate::fake_clock::FakeClock;
use crate::socket::TestSocket;

const HEARTBEAT: Duration = Duration::from_secs(2);
/// How far a time that is right may be off: the way there and back on a busy machine.
const EXACT_MS: u64 = 3000;
/// How long tokens live, seconds; the longer ones outlive a step forward.
const SHORT_S: u64 = 600;
const LONG_S: u64 = 3 * 3600;

pub async fn a_clock_that_is_set_is_followed() -> String {
    in_both_directions(|| ClusterSetup {
        nodes: 2,
        ..ClusterSetup::default()
    })
    .await
}

pub async fn a_node_alone_follows_its_clock() -> String {
    in_both_directions(|| ClusterSetup {
        nodes: 1,
        alone: true,
        ..ClusterSetup::default()
    })
    .await
}

async fn in_both_directions(setup: fn() -> ClusterSetup) -> String {
    for wrong in ["-2h", "+2h"] {
        let Some(clock) = FakeClock::new() else {
            return "skipped: no libfaketime".to_owned();
        };
        set_right(&clock, wrong, setup()).await;
    }
    "set by two hours in both directions".to_owned()
}

async fn set_right(clock: &FakeClock, wrong: &str, setup: ClusterSetup) {
    // A node that has a Redis starts with the right time only.
    let at_first = if setup.alone { wrong } else { "+0" };
    clock.set(at_first);
    let first = clock.environment();
    let environment = vec![("T2B_HEARTBEAT", format!("{}s", HEARTBEAT.as_secs()))];
    let alone = setup.alone;
    let cluster = TestCluster::start(ClusterSetup {
        environment,
        first,
        ..setup
    })
    .await;
    clock.set(wrong);
    until("new connections are told the wrong time", async || {
        let mut newcomer = cluster.socket(0, "alice", "newcomer").await;
        (pong(&mut newcomer).await.abs_diff(unix_ms()) > 3600 * 1000).then_some(())
    })
    .await;
    if !alone {
        until("the gauge says that the clocks differ", async || {
            let metrics = cluster.nodes[0].metrics().await;
            (metrics["t2b_clock_skew_seconds"].abs() > 3600.0).then_some(())
        })
        .await;
    }
    let last = cluster.nodes.len() - 1;
    let mut phone = cluster.socket(0, "alice", "phone").await;
    let mut bot = cluster.bot(last, "alice", "bot_main").await;
    cluster.bots_online("alice", &["bot_main"]).await;
    let mut told = vec![pong(&mut phone).await];
    assert!(told[0].abs_diff(unix_ms()) > 3600 * 1000, "it is wrong");
    let (long, _) = token(&cluster, 0, LONG_S).await;
    let public = &cluster.nodes[0].public;
    let mut tablet = TestSocket::connect(public, &long, "tablet").await.unwrap();

    clock.set("+0");
    let is_right = |ms: u64| ms.abs_diff(unix_ms()) < EXACT_MS;
    until("new connections are told the right time", async || {
        let mut newcomer = cluster.socket(0, "alice", "newcomer").await;
        is_right(pong(&mut newcomer).await).then_some(())
    })
    .await;

    told.extend(three_heartbeats(&mut phone, &mut bot, &mut tablet).await);
    assert!(told.is_sorted(), "told on one connection: {told:?}");
    if wrong.starts_with('-') {
        assert!(is_right(*told.last().unwrap()), "it goes forward at once");
        let again = TestSocket::connect(public, &long, "tablet").await;
        assert!(again.is_ok(), "a token that has not ended yet");
    }
    tokens_count_everywhere(&cluster).await;
    pong(&mut tablet).await;

    let metrics = cluster.nodes[0].metrics().await;
    let steps = if alone { 1.0 } else { 2.0 };
    assert_eq!(metrics["t2b_clock_steps_total"], steps);
    assert_eq!(metrics[r#"t2b_closes_total{code="4410"}"#], 0.0);
    assert_eq!(metrics[r#"t2b_closes_total{code="4402"}"#], 0.0);
    assert!(
        cluster.nodes[0]
            .printed()
            .contains("the system clock was set")
    );
    let differs = cluster.nodes[0]
        .printed()
        .contains("the system clock differs from redis");
    assert_eq!(differs, !alone);
    until("the gauge says that the clocks agree", async || {
        let metrics = cluster.nodes[0].metrics().await;
        (metrics["t2b_clock_skew_seconds"].abs() < 1.0).then_some(())
    })
    .await;
}

/// Three heartbeats of talk, which gives the times told: who is judged by a clock that was set is closed
/// by then. The quiet one says nothing but what answers a ping.
async fn three_heartbeats(
    phone: &mut TestSocket,
    bot: &mut TestSocket,
    quiet: &mut TestSocket,
) -> Vec<u64> {
    let mut told = Vec::new();
    let (begun, pings) = (Instant::now(), quiet.pings);
    while begun.elapsed() < 3 * HEARTBEAT {
        told.push(pong(phone).await);
        assert_eq!(phone.say("bot_main", "still there?").await, "delivered");
        assert_eq!(bot.say("phone", "yes").await, "delivered");
        quiet.drain().await;
        pass_until(Instant::now() + Duration::from_millis(200)).await;
    }
    let due = begun.elapsed().as_secs() / HEARTBEAT.as_secs();
    let pings = u64::from(quiet.pings - pings);
    assert!((2..=due + 1).contains(&pings), "{pings} pings of {due}");
    told
}

/// A token that a node makes, and when it ends, Unix milliseconds.
async fn token(cluster: &TestCluster, node: usize, ttl_s: u64) -> (String, u64) {
    let asked = json!({"client": "tablet", "ttlSeconds": ttl_s});
    let key = cluster.key("alice");
    let answer = cluster.nodes[node].post("/v1/tokens", &key, &asked).await;
    let (status, body) = answer.expect("an answer");
    assert_eq!(status, 201, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let token = body["token"].as_str().unwrap().to_owned();
    (token, body["expiresAt"].as_u64().unwrap())
}

/// A token of each node is good on every node.
async fn tokens_count_everywhere(cluster: &TestCluster) {
    for from in 0..cluster.nodes.len() {
        let (token, expires_ms) = token(cluster, from, SHORT_S).await;
        assert!(expires_ms.abs_diff(unix_ms() + SHORT_S * 1000) < EXACT_MS);
        for (to, node) in cluster.nodes.iter().enumerate() {
            let socket = TestSocket::connect(&node.public, &token, "tablet").await;
            assert!(socket.is_ok(), "a token of node {from} on node {to}");
        }
    }
}

/// The time that a connection is told, Unix milliseconds.
async fn pong(socket: &mut TestSocket) -> u64 {
    let pong = socket.ask("ping", json!({})).await;
    let (whole, data) = (&pong["timestamp"], &pong["data"]["timestamp"]);
    assert!(whole.as_u64() >= data.as_u64(), "{pong}");
    whole.as_u64().unwrap()
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}
