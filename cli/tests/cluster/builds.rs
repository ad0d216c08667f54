//! Two builds as one cluster: the one named in `simulation/previous-release` and this one.
//!
//! `TEST_PREVIOUS` is the program of the former, as `make builds` makes it; without it the case has
//! nothing to look at.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use fixtures::{MeasuredTimes, until};
use serde_json::{Value, json};

use crate::cluster::{ClusterSetup, TestCluster};

/// Messages in each direction.
const MESSAGES: usize = 500;

pub async fn two_builds_are_one_cluster() -> String {
    let Some(previous) = std::env::var_os("TEST_PREVIOUS").map(PathBuf::from) else {
        return "skipped: TEST_PREVIOUS names no program".to_owned();
    };
    assert!(previous.exists(), "{} is not there", previous.display());
    let mut cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        for_previous: true,
        ..ClusterSetup::default()
    })
    .await;
    // A rolling downgrade and upgrade: each node in turn is the previous build.
    let mut figures = BTreeMap::new();
    for older in 0..2 {
        let newer = 1 - older;
        let own = cluster.nodes[older].program.clone();
        cluster.nodes[older].stop().await;
        cluster.nodes[older].program = previous.clone();
        cluster.nodes[older].restart().await;
        cluster.is_whole().await;
        until("the newer build speaks the lower version", async || {
            let seen = cluster.nodes[newer].nodes().await?;
            let is_older = |peer: &Value| peer["wire"] == json!([1, 1]) && peer["speaks"] == 1;
            let is_seen = seen["nodes"].as_array()?.iter().any(is_older);
            (is_seen && seen["wire"] == json!([1, 2])).then_some(())
        })
        .await;
        for (name, at, from) in [("to older", older, newer), ("to newer", newer, older)] {
            let times = cross(&cluster, at, from).await;
            figures.insert(format!("{name} ({older})"), times);
        }
        for (node, gateway) in cluster.nodes.iter().enumerate() {
            let metrics = gateway.metrics().await;
            let refused = metrics.iter();
            let refused = refused.filter(|(name, _)| name.starts_with("t2b_lane_refused_total"));
            let refused: f64 = refused.map(|(_, count)| count).sum();
            assert_eq!(refused, 0.0, "node {node} did not understand the other");
        }
        cluster.nodes[older].stop().await;
        cluster.nodes[older].program = own;
        cluster.nodes[older].restart().await;
        cluster.is_whole().await;
    }
    let figures: Vec<_> = figures
        .iter()
        .map(|(name, times)| format!("{name}: {times}"))
        .collect();
    format!("0 refused; {}", figures.join("; "))
}

/// Messages from a client on one node to a bot on the other; how long each took.
async fn cross(cluster: &TestCluster, at: usize, from: usize) -> MeasuredTimes {
    let mut bot = cluster.bot(at, "alice", "bot").await;
    let mut phone = cluster.socket(from, "alice", "phone").await;
    until("the other node knows the bot", async || {
        (phone.bots_online().await == ["bot"]).then_some(())
    })
    .await;
    let mut times = MeasuredTimes::default();
    for number in 0..MESSAGES {
        let began = Instant::now();
        assert_eq!(phone.say("bot", &format!("{number}")).await, "delivered");
        times.push(began.elapsed());
        let frame = bot.expect("message").await;
        assert_eq!(frame["data"]["text"], number.to_string());
    }
    times
}
