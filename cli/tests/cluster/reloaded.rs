//! Secrets are added, made first and dropped by reloads, node by node, while messages cross between the nodes.

use std::time::{Duration, Instant};

use ::gateway::config::new_secret;
use fixtures::{until, until_within};
use serde_json::{Value, json};

use crate::cluster::{ClusterSetup, TestCluster};
use crate::relogin::RotatingTraffic;
use crate::socket::TestSocket;

/// In which time every node knows what another one says of itself after a reload: a second, and more on a machine
/// that runs other cases too.
const KNOWN: Duration = Duration::from_secs(5);
/// Messages that have to be delivered between two steps.
const BETWEEN: usize = 200;

/// A cluster whose nodes read their secrets from one file, each when it is reloaded.
struct ReloadedCluster(TestCluster);

impl ReloadedCluster {
    async fn start(nodes: usize) -> Self {
        let setup = ClusterSetup {
            nodes,
            ..ClusterSetup::default()
        };
        Self(TestCluster::start(setup).await)
    }

    /// Writes the file.
    fn write(&self, secrets: &[&str]) {
        self.0.write_secrets("secrets", secrets);
    }

    /// Each node in turn reads these secrets.
    /// Returns how long it took after the last reload until all nodes knew of all reloads.
    async fn reload(&self, secrets: &[&str], traffic: &RotatingTraffic) -> Duration {
        let mut reloaded = Instant::now();
        self.write(secrets);
        for (number, node) in self.0.nodes.iter().enumerate() {
            let report = node.order("/admin/v1/reload").await;
            assert_eq!(report["changed"], json!(["secrets_file"]));
            reloaded = Instant::now();
            if number + 1 < self.0.nodes.len() {
                flows(traffic).await;
            }
        }
        until_within(KNOWN, "all nodes list the same secrets", async || {
            let mut lists = Vec::new();
            for node in &self.0.nodes {
                let seen = node.nodes().await?;
                lists.push(seen["secrets"].clone());
                let others = seen["nodes"].as_array()?.iter();
                lists.extend(others.map(|other| other["secrets"].clone()));
            }
            let count = lists[0].as_str()?.split(',').count();
            (count == secrets.len() && lists.iter().all(|list| *list == lists[0])).then_some(())
        })
        .await;
        let known = reloaded.elapsed();
        flows(traffic).await;
        known
    }

    async fn sum(&self, family: &str) -> f64 {
        let mut sum = 0.0;
        for node in &self.0.nodes {
            let metrics = node.metrics().await;
            let series = metrics.iter().filter(|(name, _)| name.starts_with(family));
            sum += series.map(|(_, value)| value).sum::<f64>();
        }
        sum
    }
}

/// Waits until some more messages are delivered.
async fn flows(traffic: &RotatingTraffic) {
    let before = traffic.delivered();
    until("messages are delivered", async || {
        (traffic.delivered() >= before + BETWEEN).then_some(())
    })
    .await;
}

pub async fn secrets_are_reloaded_under_load() -> String {
    let reloaded = ReloadedCluster::start(3).await;
    let cluster = &reloaded.0;
    let (old, new) = (cluster.first_secret(), new_secret().unwrap());
    let new = new.reveal().as_str();
    let addresses = cluster.nodes.iter().map(|node| node.public.clone());
    let traffic = RotatingTraffic::start(addresses.collect(), cluster.key("alice"));
    flows(&traffic).await;
    let closes = reloaded.sum("t2b_closes_total").await;

    let mut known = reloaded.reload(&[&old, new], &traffic).await;
    known = known.max(reloaded.reload(&[new, &old], &traffic).await);
    let by_old = reloaded
        .sum(r#"t2b_connections_by_secret{secret="other"}"#)
        .await;
    assert!(by_old >= 6.0, "{by_old} sockets use the old secret");
    assert_eq!(
        reloaded.sum("t2b_closes_total").await,
        closes,
        "sockets closed"
    );
    let renewed = cluster.write_secrets("renewed", &[new, &old]);
    traffic.renew(cluster.key_by(&renewed, "alice"));
    until("nobody uses the old secret", async || {
        let by_old = reloaded
            .sum(r#"t2b_connections_by_secret{secret="other"}"#)
            .await;
        (by_old == 0.0).then_some(())
    })
    .await;
    let closes = reloaded.sum("t2b_closes_total").await;
    known = known.max(reloaded.reload(&[new], &traffic).await);
    assert_eq!(
        reloaded.sum("t2b_closes_total").await,
        closes,
        "sockets closed"
    );
    assert_eq!(
        reloaded.sum("t2b_lane_refused_total").await,
        0.0,
        "packets refused"
    );

    let old_key = cluster.key("alice");
    let address = &cluster.nodes[0].public;
    let refused = TestSocket::connect(address, &old_key, "late").await.err();
    assert_eq!(refused, Some(4401));
    let outcome = traffic.stop().await;
    assert_eq!(outcome.lost, 0, "{outcome}");
    assert!(outcome.closes.is_empty(), "{outcome}");
    let known = known.as_millis();
    format!("9 reloads, known to all nodes within {known} ms, 0 packets refused, {outcome}")
}

pub async fn the_only_secret_of_a_peer_is_not_dropped() -> String {
    let reloaded = ReloadedCluster::start(2).await;
    let node = &reloaded.0.nodes[0];
    let new = new_secret().unwrap();
    reloaded.write(&[new.reveal()]);
    let (status, text) = node.try_order("/admin/v1/reload").await.unwrap();
    assert_eq!(status, 409, "{text}");
    assert!(text.contains("has none of the new secrets"), "{text}");
    let unreachable = async || -> Option<Value> {
        let seen = reloaded.0.nodes[1].nodes().await?;
        Some(seen["nodes"][0]["unreachable"].clone())
    };
    assert_eq!(unreachable().await, Some(Value::Null));
    let report = node.order("/admin/v1/reload?force=true").await;
    assert_eq!(report["changed"], json!(["secrets_file"]));
    until_within(KNOWN, "the other node cannot reach it", async || {
        (unreachable().await? == "no_common_secret").then_some(())
    })
    .await;
    text.trim().to_owned()
}
