//! A process that stood still for a minute judges nobody before it has asked.

use std::time::{Duration, Instant};

use fixtures::pass_until;
use futures_util::future::{join, join_all};
use serde_json::json;
use tokio::time::timeout;

use crate::cluster::{ClusterSetup, TestCluster};

const HEARTBEAT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(60);
/// A node looks at its connections four times a second; the machine may be busy.
const LATE: Duration = Duration::from_secs(2);

pub async fn after_a_pause_only_the_dead_are_closed() -> String {
    let cluster = TestCluster::start(ClusterSetup {
        nodes: 1,
        environment: vec![("T2B_HEARTBEAT", format!("{}s", HEARTBEAT.as_secs()))],
        ..ClusterSetup::default()
    })
    .await;
    let mut healthy = Vec::new();
    for number in 0..20 {
        let client = format!("phone-{number}");
        healthy.push(cluster.socket(0, "alice", &client).await);
    }
    // Nobody reads it: it answers no ping, as one whose peer is gone.
    let mut half_open = cluster.socket(0, "alice", "half-open").await;
    cluster.nodes[0].pause();
    pass_until(Instant::now() + PAUSE).await;
    cluster.nodes[0].resume();

    // Nobody says anything by himself now: who lives answers pings.
    let back = Instant::now();
    let watched = 2 * HEARTBEAT + LATE;
    let closed = async || cluster.nodes[0].metrics().await[r#"t2b_closes_total{code="4410"}"#];
    let stay = healthy.iter_mut();
    let stay = join_all(stay.map(|socket| timeout(watched, socket.closed())));
    let gone = async {
        while back.elapsed() < watched {
            if closed().await > 0.0 {
                return Some(back.elapsed());
            }
            pass_until(Instant::now() + Duration::from_millis(100)).await;
        }
        None
    };
    let (ends, gone_after) = join(stay, gone).await;
    for end in ends {
        assert!(end.is_err(), "a healthy socket was closed with {end:?}");
    }
    for socket in &mut healthy {
        assert_eq!(socket.ask("ping", json!({})).await["type"], "pong");
    }
    let gone_after = gone_after.expect("the half-open socket is closed within two heartbeats");
    assert_eq!(closed().await, 1.0, "and no other");
    // It is reset if it has not read the close frame within the wait for its answer.
    assert!(matches!(half_open.closed().await, 4410 | 1006));
    format!(
        "{} sockets stayed; one that does not answer was closed after {} ms",
        healthy.len(),
        gone_after.as_millis()
    )
}
