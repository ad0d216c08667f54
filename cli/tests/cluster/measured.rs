//! What the nodes of a cluster measure of each other: messages, lanes, the store.

use std::sync::Arc;

use fixtures::until;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::load::{BOT, BotRecipient, WINDOW, messages, send_all};

/// Of so many messages one is measured, at random.
const SAMPLED_OF: f64 = 64.0;

pub async fn messages_between_nodes_are_measured() -> String {
    let total = messages(6_400).min(20_000);
    let setup = ClusterSetup {
        nodes: 2,
        ..ClusterSetup::default()
    };
    let cluster = TestCluster::start(setup).await;
    let mut sender = cluster.socket(0, "alice", "sender").await;
    let recipient = BotRecipient::start(cluster.socket(1, "alice", "process").await);
    recipient.take_the_bot().await;
    cluster.bots_online("alice", &[BOT]).await;
    send_all(&mut sender, (0, total), WINDOW, Arc::default()).await;

    let (here, there) = (&cluster.nodes[0], &cluster.nodes[1]);
    let sampled = until("messages are measured", async || {
        let sampled = here.metrics().await[r#"t2b_message_seconds_count{path="remote"}"#];
        (sampled > 0.0).then_some(sampled)
    })
    .await;
    let expected = total as f64 / SAMPLED_OF;
    assert!(
        (expected / 2.0..expected * 2.0).contains(&sampled),
        "{sampled} of {total}"
    );
    let (here, there) = (here.metrics().await, there.metrics().await);
    for name in [
        "t2b_lane_ack_seconds_count",
        "t2b_redis_connected",
        r#"t2b_redis_commands_total{kind="script"}"#,
        r#"t2b_redis_commands_total{kind="publish"}"#,
        r#"t2b_redis_commands_total{kind="other"}"#,
        r#"t2b_store_seconds_count{ask="beat"}"#,
        r#"t2b_store_seconds_count{ask="load"}"#,
        r#"t2b_store_seconds_count{ask="enter"}"#,
    ] {
        assert!(here[name] > 0.0, "{name}");
    }
    assert!(there[r#"t2b_store_seconds_count{ask="claim"}"#] > 0.0);
    let local = r#"t2b_message_seconds_count{path="local"}"#;
    assert_eq!((here[local], there[local]), (0.0, 0.0));
    let lanes = here.keys();
    let lanes = lanes.filter(|name| name.starts_with("t2b_lane_oldest_seconds{"));
    assert_eq!(lanes.count(), 2, "of no node, and of the other one");
    format!("{sampled} of {total} messages measured")
}
