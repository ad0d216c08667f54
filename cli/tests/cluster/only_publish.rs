//! Between two connections whose tenant is known, Redis sees nothing but PUBLISH.
//!
//! What Redis counts while messages flow, less what it counts in as long a time without any, is
//! what the messages cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use fixtures::{pass_until, until};

use crate::cluster::{ClusterSetup, TestCluster};
use crate::delivery_check::DeliveryJudgement;
use crate::load::{BOT, BotRecipient, WINDOW, messages, send_all};

/// By how much two times of the same length may differ without any messages: beats and
/// comparisons do not fall on the same instants.
const NOISE: u64 = 20;

/// Commands by name, and the packets that nodes say they published.
struct CommandCounts {
    commands: BTreeMap<String, u64>,
    packets: f64,
}

pub async fn redis_sees_only_publish() -> String {
    let total = messages(20_000).min(100_000);
    let setup = ClusterSetup {
        nodes: 2,
        ..ClusterSetup::default()
    };
    let cluster = TestCluster::start(setup).await;
    let mut sender = cluster.socket(0, "alice", "sender").await;
    let recipient = BotRecipient::start(cluster.socket(1, "alice", "process").await);
    recipient.take_the_bot().await;
    cluster.bots_online("alice", &[BOT]).await;

    let began = Instant::now();
    let before = counts(&cluster).await;
    let answers = send_all(&mut sender, (0, total), WINDOW, Arc::default()).await;
    let after = counts(&cluster).await;
    let took = began.elapsed();
    pass_until(Instant::now() + took).await;
    let idle = counts(&cluster).await;

    until("all have arrived", async || {
        (recipient.arrived() == total).then_some(())
    })
    .await;
    let judgement = DeliveryJudgement::of(&[answers], &[recipient.stop().await.0]);
    judgement.is_kept();
    assert_eq!(judgement.delivered, total);
    let packets = (after.packets - before.packets) as u64;
    let (published, others) = commands_of([&before, &after, &idle]);
    assert_eq!(
        others,
        BTreeMap::new(),
        "commands of {total} messages beside PUBLISH"
    );
    assert!(
        published <= packets + NOISE,
        "{published} PUBLISH of {packets} batches and acks"
    );
    assert!(published > 0);
    format!(
        "{total} messages: {published} PUBLISH, {packets} batches and acks, nothing else; {:.1} messages a PUBLISH, {:.1} s",
        total as f64 / published as f64,
        took.as_secs_f64(),
    )
}

/// How many PUBLISH there were between `before` and `after`, and which other commands; without those that
/// an idle cluster asks in the same time.
fn commands_of([before, after, idle]: [&CommandCounts; 3]) -> (u64, BTreeMap<String, u64>) {
    let (mut published, mut others) = (0, BTreeMap::new());
    for (command, count) in &after.commands {
        let of = |counts: &CommandCounts| counts.commands.get(command).copied().unwrap_or(0);
        let resting = of(idle) - count;
        let more = (count - of(before)).saturating_sub(resting);
        match command.as_str() {
            "publish" => published = more,
            // What this test itself asks.
            "info" | "client" | "client|setinfo" => {}
            _ if more > NOISE => drop(others.insert(command.clone(), more)),
            _ => {}
        }
    }
    (published, others)
}

async fn counts(cluster: &TestCluster) -> CommandCounts {
    let info = cluster.redis.command(&["INFO", "commandstats"]);
    // `cmdstat_publish:calls=7,usec=…`
    let lines = info.text().lines().filter_map(|line| {
        let (command, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse().ok()?;
        Some((command.to_owned(), calls))
    });
    let commands = lines.collect();
    let mut packets = 0.0;
    for node in &cluster.nodes {
        packets += node.metrics().await["t2b_lane_published_total"];
    }
    CommandCounts { commands, packets }
}
