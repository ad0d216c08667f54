//! Secrets are changed node by node: in the order of docs/configuration.md under load, in the order
//! that skips its first step, and without any secret in common.

use std::time::{Duration, Instant};

use ::gateway::config::new_secret;

use fixtures::until;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::gateway::GatewayNode;
use crate::relogin::RotatingTraffic;
use crate::socket::TestSocket;

const FILE: &str = "T2B_SECRETS_FILE";
/// Longest time without a delivery that a rolling restart may cost a sender: what is on its way to a
/// node that stops is answered when that node is evicted, within 8 s.
const PAUSE: Duration = Duration::from_secs(9);
/// How long an answer may take that does not wait for another node.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Messages that have to be delivered between two steps.
const BETWEEN: usize = 200;

fn secret() -> String {
    new_secret().unwrap().reveal().clone()
}

/// Packets and envelopes that a node did not understand since it was started.
async fn refused(cluster: &TestCluster, node: usize) -> f64 {
    let metrics = cluster.nodes[node].metrics().await;
    let refused = metrics.iter();
    let refused = refused.filter(|(name, _)| name.starts_with("t2b_lane_refused_total"));
    refused.map(|(_, count)| count).sum()
}

/// Every node in turn is stopped and started with this file of secrets. Returns what was refused.
async fn roll(cluster: &mut TestCluster, file: &str, traffic: Option<&RotatingTraffic>) -> f64 {
    let mut all = 0.0;
    for node in 0..cluster.nodes.len() {
        all += refused(cluster, node).await;
        cluster.nodes[node].stop().await;
        cluster.nodes[node].set(FILE, file.to_owned());
        cluster.nodes[node].restart().await;
        if let Some(traffic) = traffic {
            traffic.moved(node, &cluster.nodes[node].public);
            flows(traffic).await;
        }
    }
    all
}

/// Waits until some more messages are delivered.
async fn flows(traffic: &RotatingTraffic) {
    let before = traffic.delivered();
    until("messages are delivered", async || {
        (traffic.delivered() >= before + BETWEEN).then_some(())
    })
    .await;
}

pub async fn secrets_are_rotated_under_load() -> String {
    let mut cluster = TestCluster::start(ClusterSetup::default()).await;
    let (old, new) = (cluster.first_secret(), secret());
    let first = cluster.write_secrets("step-1", &[&old, &new]);
    let second = cluster.write_secrets("step-2", &[&new, &old]);
    let third = cluster.write_secrets("step-3", &[&new]);
    let addresses = cluster.nodes.iter().map(|node| node.public.clone());
    let traffic = RotatingTraffic::start(addresses.collect(), cluster.key("alice"));
    flows(&traffic).await;

    let mut refusals = 0.0;
    refusals += roll(&mut cluster, &first, Some(&traffic)).await;
    refusals += roll(&mut cluster, &second, Some(&traffic)).await;
    // Everybody still uses the old secret, and the page's command says who.
    until("alice is listed as using the old secret", async || {
        let listed = cluster.nodes[0].using_old().await;
        let other =
            cluster.nodes[0].metrics().await[r#"t2b_connections_by_secret{secret="other"}"#];
        (listed.starts_with("alice ") && other > 0.0).then_some(())
    })
    .await;
    traffic.renew(cluster.key_by(&second, "alice"));
    until("nobody uses the old secret", async || {
        for node in &cluster.nodes {
            let other = node.metrics().await[r#"t2b_connections_by_secret{secret="other"}"#];
            if other > 0.0 || !node.using_old().await.is_empty() {
                return None;
            }
        }
        Some(())
    })
    .await;
    refusals += roll(&mut cluster, &third, Some(&traffic)).await;
    flows(&traffic).await;
    let outcome = traffic.stop().await;
    for node in 0..cluster.nodes.len() {
        refusals += refused(&cluster, node).await;
    }
    assert_eq!(refusals, 0.0, "packets refused");
    assert_eq!(outcome.lost, 0, "{outcome}");
    for code in [4401, 1013] {
        assert_eq!(outcome.closes.get(&code), None, "{outcome}");
    }
    assert!(outcome.pause <= PAUSE, "{outcome}");
    // The old secret is worth nothing once the former lives of all nodes are evicted.
    cluster.is_whole().await;
    let old_key = cluster.key("alice");
    let address = &cluster.nodes[0].public;
    let refused = TestSocket::connect(address, &old_key, "late").await.err();
    assert_eq!(refused, Some(4401));
    format!("9 restarts, 0 packets refused, {outcome}")
}

pub async fn the_wrong_order_is_harmless() -> String {
    let mut cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        ..ClusterSetup::default()
    })
    .await;
    let (old, new) = (cluster.first_secret(), secret());
    let short = cluster.write_secrets("short", &[&new, &old]);
    let key = cluster.key_by(&short, "alice");
    cluster.nodes[0].stop().await;
    cluster.nodes[0].set(FILE, short.clone());
    cluster.nodes[0].restart().await;
    cluster.is_whole().await;

    // Node 1 has the old secret alone. Messages cross in both directions at once.
    let mut times = Vec::new();
    for (at, from) in [(0, 1), (1, 0)] {
        let name = format!("bot-at-{at}");
        let mut bot = cluster.bot(at, "alice", &name).await;
        let mut phone = cluster.socket(from, "alice", "phone").await;
        until("the other node knows the bot", async || {
            (phone.bots_online().await == [name.as_str()]).then_some(())
        })
        .await;
        let began = Instant::now();
        assert_eq!(phone.say(&name, "hello").await, "delivered", "from {from}");
        times.push(began.elapsed());
        bot.expect("message").await;
    }
    assert!(times.iter().all(|time| *time < AT_ONCE), "{times:?}");
    for node in 0..2 {
        assert_eq!(refused(&cluster, node).await, 0.0, "node {node}");
    }

    new_credentials_work_on_node_0(&cluster, &key).await;
    both_nodes_say_so(&cluster).await;
    // It ends well: the other node follows.
    cluster.nodes[1].stop().await;
    cluster.nodes[1].set(FILE, short);
    cluster.nodes[1].restart().await;
    cluster.is_whole().await;
    let address = &cluster.nodes[1].public;
    assert_eq!(TestSocket::connect(address, &key, "new").await.err(), None);
    format!("across in {times:?}")
}

/// A credential of the new secret is good on node 0. Node 1 asks its bearer to come back.
async fn new_credentials_work_on_node_0(cluster: &TestCluster, key: &str) {
    let connect = async |node: usize, key: &str| {
        let address = &cluster.nodes[node].public;
        TestSocket::connect(address, key, "new").await.err()
    };
    assert_eq!(connect(0, key).await, None);
    assert_eq!(connect(1, key).await, Some(1013));
    assert_eq!(
        connect(1, "t2b_nonsense").await,
        Some(4401),
        "no key at all"
    );
}

/// Both nodes tell the operator of the wrong order.
async fn both_nodes_say_so(cluster: &TestCluster) {
    for (node, side, told) in [
        (0, "there", "it refuses credentials issued here"),
        (1, "here", "its credentials are refused here"),
    ] {
        let series = format!(r#"t2b_nodes_secret_gap{{at="{side}"}}"#);
        let gateway = &cluster.nodes[node];
        until(&series, async || {
            let is_told = gateway.printed().contains("wrong order");
            (is_told && gateway.metrics().await[&series] == 1.0).then_some(())
        })
        .await;
        let status = gateway.status().await;
        assert!(status.contains(told), "{status}");
    }
}

pub async fn no_common_secret_is_named() -> String {
    let mut cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        ..ClusterSetup::default()
    })
    .await;
    let alone = cluster.write_secrets("alone", &[&secret()]);
    let mut phone = cluster.socket(0, "alice", "phone").await;
    cluster.nodes[1].stop().await;
    cluster.nodes[1].set(FILE, alone.clone());
    cluster.nodes[1].restart().await;
    cluster.is_whole().await;
    let (address, key) = (&cluster.nodes[1].public, cluster.key_by(&alone, "alice"));
    let mut bot = TestSocket::connect(address, &key, "bot-process")
        .await
        .unwrap();
    bot.register("bot").await;
    until("the other node knows the bot", async || {
        (phone.bots_online().await == ["bot"]).then_some(())
    })
    .await;

    let began = Instant::now();
    assert_eq!(phone.say("bot", "hello").await, "unreachable");
    let answered = began.elapsed();
    assert!(answered < AT_ONCE, "{answered:?}");
    for gateway in &cluster.nodes {
        other_node_is_named(gateway).await;
    }
    format!("answered after {} ms", answered.as_millis())
}

/// The metric, the status, the log and the admin API of a node name the other one.
async fn other_node_is_named(gateway: &GatewayNode) {
    let is_it =
        |name: &str| name.starts_with(r#"t2b_nodes_unreachable{reason="no_common_secret",node=""#);
    until("the node is named", async || {
        let metrics = gateway.metrics().await;
        let mut named = metrics.iter().filter(|(name, _)| is_it(name));
        named.any(|(_, value)| *value == 1.0).then_some(())
    })
    .await;
    let metrics = gateway.metrics().await;
    let named = metrics
        .iter()
        .filter(|(name, value)| is_it(name) && **value == 1.0);
    assert_eq!(named.count(), 1, "{metrics:?}");
    let status = gateway.status().await;
    assert!(status.contains("unreachable: no_common_secret"), "{status}");
    let log = gateway.printed();
    assert!(log.contains("cannot be reached"), "{log}");
    let nodes = gateway.nodes().await.unwrap();
    let mut all = nodes["nodes"].as_array().unwrap().iter();
    assert!(
        all.any(|node| node["unreachable"] == "no_common_secret"),
        "{nodes}"
    );
}
