//! A node that is connected to Redis, is answered, and hears nothing that is published.

use std::time::{Duration, Instant};

use fixtures::until;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::flow::{MessageFlow, SilentSocket};

/// In so long it hears again: four seconds until it gives the connection up, and the rest.
const HEARS: Duration = Duration::from_secs(7);

pub async fn a_node_reconnects_and_receives_again() -> String {
    let setup = ClusterSetup {
        nodes: 2,
        proxied: true,
        ..ClusterSetup::default()
    };
    let cluster = TestCluster::start(setup).await;
    let bot = SilentSocket::start(cluster.bot(0, "alice", "bot_main").await);
    cluster.bots_online("alice", &["bot_main"]).await;
    let phone = cluster.socket(1, "alice", "phone").await;
    let flow = MessageFlow::start("1 to 0".into(), phone, "bot_main".into());
    let start = Instant::now();
    until("messages flow", async || flow.delivered_since(start)).await;

    let muted = Instant::now();
    cluster.proxies[0].mute_subscriptions();
    until("it notices", async || {
        let seen = cluster.nodes[0].nodes().await?;
        (seen["degraded"] == true).then_some(())
    })
    .await;
    let noticed = muted.elapsed();
    let heard = until("messages flow again", async || {
        flow.delivered_since(muted + noticed)
    })
    .await;
    let heard = heard - muted;
    assert!(heard <= HEARS, "{heard:?}");
    cluster.is_whole().await;
    let seen = cluster.nodes[0].nodes().await.unwrap();
    assert_eq!(seen["redis"]["reconnects"], 1, "{seen}");
    let metrics = cluster.nodes[0].metrics().await;
    assert_eq!(metrics["t2b_redis_reconnects_total"], 1.0);
    flow.is_sound();
    bot.is_sound();
    format!(
        "noticed after {} ms, heard again after {} ms",
        noticed.as_millis(),
        heard.as_millis()
    )
}
