//! A node of a build that has no wire version in common with ours: another process plays it, by what
//! such a node writes into Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fixtures::until;
use tokio::task::spawn_blocking;
use tokio::time::interval;

use crate::cluster::{ClusterSetup, TestCluster};

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
    let redis = |args: &[&[u8]]| {
        let mut client = fixtures::RespClient::connect(port).unwrap();
        client.command(args).unwrap()
    };
    // What it says of itself; then it beats. A bot of alice is at home there.
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
        redis(&[b"HSET", node.as_bytes(), field.as_bytes(), value.as_bytes()]);
    }
    let ends = Arc::new(AtomicBool::new(false));
    let beating = tokio::spawn({
        let ends = Arc::clone(&ends);
        async move {
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
                let asked =
                    spawn_blocking(move || fixtures::RespClient::connect(port)?.command(&args));
                asked.await.unwrap().unwrap();
            }
        }
    });
    let far = format!(
        r#"5 0 {BOOT} conn_{BOOT} {{"name":"far","type":"bot","description":"","capabilities":[]}}"#
    );
    redis(&[b"HSET", b"t2b:{alice}:dir", b"b:far", far.as_bytes()]);
    redis(&[b"SET", b"t2b:{alice}:ver", b"5"]);

    let gateway = &cluster.nodes[0];
    let series = format!(r#"t2b_nodes_unreachable{{reason="no_common_wire",node="{NAME}"}}"#);
    until("the metric names it", async || {
        (gateway.metrics().await.get(&series) == Some(&1.0)).then_some(())
    })
    .await;
    let status = gateway.status().await;
    let told = status.contains("unreachable: no_common_wire") && status.contains(NAME);
    assert!(told, "{status}");
    let said = gateway.printed();
    let line = said.lines().find(|line| line.contains("cannot be reached"));
    assert!(
        line.is_some_and(|line| line.contains(NAME) && line.contains(ADDRESS)),
        "{said}"
    );

    // A message for it is refused at once.
    let mut phone = cluster.socket(0, "alice", "phone").await;
    assert_eq!(phone.bots_online().await, ["far"]);
    let began = Instant::now();
    assert_eq!(phone.say("far", "hello").await, "unreachable");
    let answered = began.elapsed();
    assert!(answered < AT_ONCE, "{answered:?}");

    // What it sends is not understood; the log says whose it is, once for all of it.
    let own = gateway.nodes().await.unwrap()["self"]
        .as_str()
        .unwrap()
        .to_owned();
    let inbox = format!("t2b:inbox:{own}");
    for _ in 0..50 {
        redis(&[b"PUBLISH", inbox.as_bytes(), &packet(9)]);
    }
    until("its packets are counted", async || {
        let refused = gateway.metrics().await[r#"t2b_lane_refused_total{reason="wire"}"#];
        (refused == 50.0).then_some(())
    })
    .await;
    let said = gateway.printed();
    let lines: Vec<_> = said
        .lines()
        .filter(|line| line.contains("is not understood"))
        .collect();
    assert_eq!(lines.len(), 1, "{said}");
    for word in [BOOT, NAME, ADDRESS, "wire version 9"] {
        assert!(lines[0].contains(word), "{word}: {}", lines[0]);
    }
    ends.store(true, Ordering::Relaxed);
    beating.await.unwrap();
    format!("answered after {} ms", answered.as_millis())
}
