//! A rolling restart of three nodes behind haproxy: everybody moves, nothing is lost.
//!
//! `TEST_DRAIN=long` has 3,000 sockets and the times that nodes have by default, and judges rates and latencies.

use std::time::{Duration, Instant};

use fixtures::{pass_until, until};

use crate::cluster::{ClusterSetup, TestCluster};
use crate::front::HaproxyFront;
use crate::moving_load::{LoadSize, OwnerTraffic};
use crate::socket::TestSocket;

/// What is judged without the long run: haproxy looks each second.
const SHORT: (&str, LoadSize) = (
    "drain_wait = \"3s\"\ndrain_window = \"8s\"\n",
    LoadSize {
        tenants: 30,
        owners: 4,
        period: Duration::from_secs(2),
    },
);
const LONG: (&str, LoadSize) = (
    "",
    LoadSize {
        tenants: 300,
        owners: 9,
        period: Duration::from_secs(9),
    },
);
/// How long the long run has for its drains: `drain_window` less the time that the last one has to move.
const LONG_MOVES: f64 = 25.0;
/// The time before the first restart, for comparison.
const QUIET: Duration = Duration::from_secs(10);
/// The least share that moves by itself.
const MOVED: f64 = 0.95;

pub async fn a_rolling_restart_loses_nothing() -> String {
    let is_long = std::env::var("TEST_DRAIN").is_ok_and(|it| it == "long");
    let (drain, size) = if is_long { LONG } else { SHORT };
    let mut cluster = TestCluster::start(ClusterSetup {
        drain,
        environment: vec![("T2B_TRUSTED_PROXIES", "127.0.0.1".to_owned())],
        ..ClusterSetup::default()
    })
    .await;
    let ports: Vec<_> = cluster.nodes.iter().map(|node| node.ports()).collect();
    let Some(front) = HaproxyFront::start(&ports).await else {
        return "skipped: no haproxy".to_owned();
    };
    let traffic = OwnerTraffic::start(&cluster, &front.url(), size).await;
    let quiet = Instant::now();
    pass_until(quiet + QUIET).await;
    let before = traffic.times_since(quiet);

    let restarts = Instant::now();
    let mut moves = Vec::new();
    for node in 0..cluster.nodes.len() {
        let began = Instant::now();
        cluster.nodes[node].stop().await;
        let took = began.elapsed();
        let drained = cluster.nodes[node].drained();
        let peak = traffic.reconnect_peak(began);
        assert!(
            drained.moved as f64 >= MOVED * drained.asked as f64,
            "{drained:?}; {}",
            front.last_lines()
        );
        let planned = drained.asked as f64 / LONG_MOVES;
        assert!(
            !is_long || peak as f64 <= 1.5 * planned,
            "{peak} reconnects in a second, {planned:.1} planned"
        );
        moves.push(format!(
            "{} of {} moved in {:.1} s, at most {peak} in a second",
            drained.moved,
            drained.asked,
            took.as_secs_f32()
        ));
        cluster.nodes[node].restart_in_place().await;
        cluster.is_whole().await;
    }
    let during = traffic.times_since(restarts);
    let outcome = traffic.end().await;
    assert_eq!(
        (outcome.lost, outcome.doubled, outcome.lost_links),
        (0, 0, 0)
    );
    assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
    if is_long {
        let (before, during) = (before.percentile(0.99), during.percentile(0.99));
        assert!(
            during <= 5 * before,
            "p99 {before:?} before, {during:?} during"
        );
    }
    format!(
        "{} delivered, 0 lost, 0 doubled; {}; before {before}; during {during}",
        outcome.delivered,
        moves.join("; ")
    )
}

pub async fn an_operator_drains_a_node_and_takes_it_back() -> String {
    let cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        ..ClusterSetup::default()
    })
    .await;
    let [node, other] = &cluster.nodes[..] else {
        unreachable!("there are two");
    };
    let mut stays = cluster.socket(0, "alice", "stays").await;
    until(
        "the node knows for certain that the other one runs",
        async || {
            let seen = node.nodes().await?;
            let beat = seen["nodes"][0]["beat"].as_u64()?;
            (beat >= 3).then_some(())
        },
    )
    .await;
    let began = Instant::now();
    let told = async {
        let migrate = stays.expect("migrate").await;
        (migrate["data"]["reason"].clone(), stays.closed().await)
    };
    let (printed, told) = tokio::join!(node.drain(), told);
    let took = began.elapsed();
    assert_eq!(told, ("restart".into(), 1012));
    assert_eq!(
        printed.trim(),
        "drained: 0 connections are open; 1 asked to move, 0 moved, 1 closed"
    );
    assert_eq!(node.get("/readyz").await.unwrap().0, 503);
    assert_eq!(node.get("/healthz").await.unwrap().0, 200);
    let (code, status) = node.status_code().await;
    assert_eq!(code, Some(0));
    assert!(
        status.contains("draining: drained, 0 connections left"),
        "{status}"
    );
    let refused = TestSocket::connect(&node.public, &cluster.key("alice"), "late").await;
    assert!(refused.is_err(), "it takes no new sockets");

    let printed = node.undrain().await;
    assert!(printed.starts_with("serving: 0 connections"), "{printed}");
    assert_eq!(node.get("/readyz").await.unwrap().0, 200);
    cluster.socket(0, "alice", "again").await;
    assert_eq!(other.get("/readyz").await.unwrap().0, 200);
    format!("drained after {:.1} s, and back", took.as_secs_f32())
}
