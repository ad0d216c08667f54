//! A node of a build that has no wire version in common with ours: another process plays it, by what
//! such a node writes into Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fixtures::{RespClient, until};
use tokio::task::spawn_blocking;
use tokio::time::interval;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::gateway::GatewayNode;

const BOOT: &str = "01ZZZZZZZZZZZZZZZZZZZZZZZZ";
const NAME: &str = "pod-of-tomorrow";
const ADDRESS: &str = "10.9.8.7:3000";
/// How often it beats.
const BEAT: Duration = Duration::from_millis(500);
/// How long an answer may take that does not wait for another node.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A packet as a later version may have it: the head and `src` are in their places.
fn packet(version: u8) -> Vec<u8> {
    let mut bytes = vec![0xc1, 0, version, 1, 2, 3, 4, 0x82];
    bytes.extend(b"\xa3src\xba");
    bytes.extend(BOOT.as_bytes());
    bytes.extend([0xff; 40]);
    bytes
}

pub async fn an_incompatible_node_is_named() -> String {
    let cluster = TestCluster::start(ClusterSetup {
        nodes: 1,
        ..ClusterSetup::default()
    })
    .await;
    let port = cluster.redis.port();
    register(port);
    let ends = Arc::new(AtomicBool::new(false));
    let beating = tokio::spawn(beat(port, Arc::clone(&ends)));
    is_named(&cluster.nodes[0]).await;
    let answered = message_is_refused(&cluster).await;
    packets_are_counted(&cluster.nodes[0], port).await;
    ends.store(true, Ordering::Relaxed);
    beating.await.unwrap();
    format!("answered after {} ms", answered.as_millis())
}

fn redis(port: u16, args: &[&[u8]]) {
    let mut client = RespClient::connect(port).unwrap();
    client.command(args).unwrap();
}

/// What the node writes of itself, and a bot of alice that has its home there.
fn register(port: u16) {
    let node = format!("t2b:node:{BOOT}");
    for (field, value) in [
        ("name", NAME),
        ("address", ADDRESS),
        ("version", "9.0.0"),
        ("wire_min", "7"),
        ("wire_max", "9"),
        ("serving", "1"),
        ("connections", "1"),
    ] {
        let args = ["HSET", &node, field, value].map(str::as_bytes);
        redis(port, &args);
    }
    let bot = format!(
        r#"5 0 {BOOT} conn_{BOOT} {{"name":"far","type":"bot","description":"","capabilities":[]}}"#
    );
    redis(
        port,
        &[b"HSET", b"t2b:{alice}:dir", b"b:far", bot.as_bytes()],
    );
    redis(port, &[b"SET", b"t2b:{alice}:ver", b"5"]);
}

/// Beats as a node does, until it has to end.
async fn beat(port: u16, ends: Arc<AtomicBool>) {
    let mut ticks = interval(BEAT);
    for beat in 1_u64.. {
        ticks.tick().await;
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let args = [
            b"HSET".to_vec(),
            b"t2b:nodes".to_vec(),
            BOOT.into(),
            beat.to_string().into(),
        ];
        let asked = spawn_blocking(move || RespClient::connect(port)?.command(&args));
        asked.await.unwrap().unwrap();
    }
}

/// The metric, the status and the log name the node.
async fn is_named(gateway: &GatewayNode) {
    let series = format!(r#"t2b_nodes_unreachable{{reason="no_common_wire",node="{NAME}"}}"#);
    until("the metric names it", async || {
        (gateway.metrics().await.get(&series) == Some(&1.0)).then_some(())
    })
    .await;
    let status = gateway.status().await;
    let told = status.contains("unreachable: no_common_wire") && status.contains(NAME);
    assert!(told, "{status}");
    let log = gateway.printed();
    let line = log.lines().find(|line| line.contains("cannot be reached"));
    assert!(
        line.is_some_and(|line| line.contains(NAME) && line.contains(ADDRESS)),
        "{log}"
    );
}

/// A message for the node is refused at once; how long that takes.
async fn message_is_refused(cluster: &TestCluster) -> Duration {
    let mut phone = cluster.socket(0, "alice", "phone").await;
    assert_eq!(phone.bots_online().await, ["far"]);
    let began = Instant::now();
    assert_eq!(phone.say("far", "hello").await, "unreachable");
    let answered = began.elapsed();
    assert!(answered < AT_ONCE, "{answered:?}");
    answered
}

/// Its packets are not understood. The log says whose they are, once for all of them.
async fn packets_are_counted(gateway: &GatewayNode, port: u16) {
    let seen = gateway.nodes().await.unwrap();
    let inbox = format!("t2b:inbox:{}", seen["self"].as_str().unwrap());
    for _ in 0..50 {
        redis(port, &[b"PUBLISH", inbox.as_bytes(), &packet(9)]);
    }
    until("its packets are counted", async || {
        let refused = gateway.metrics().await[r#"t2b_lane_refused_total{reason="wire"}"#];
        (refused == 50.0).then_some(())
    })
    .await;
    let log = gateway.printed();
    let lines = log
        .lines()
        .filter(|line| line.contains("is not understood"));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1, "{log}");
    for word in [BOOT, NAME, ADDRESS, "wire version 9"] {
        assert!(lines[0].contains(word), "{word}: {}", lines[0]);
    }
}
