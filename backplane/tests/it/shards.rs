//! A Cluster: one connection that listens on each node, and all of them count.

use std::collections::BTreeSet;

use backplane::Inbound;
use bytes::Bytes;
use fixtures::RedisCluster;
use protocol::BootId;

use crate::harness::{Node, claim, event_of, packet};

fn url(cluster: &RedisCluster) -> String {
    let ports = cluster
        .nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port()));
    format!("redis+cluster://{}", ports.collect::<Vec<_>>().join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_of_a_cluster_is_used_and_missed() {
    let Some(mut cluster) = RedisCluster::start() else {
        return;
    };
    let boots: Vec<_> = (1..9).map(BootId::from_bits).collect();
    let mut node = Node::start(&url(&cluster), boots[0]).await;
    for boot in &boots[1..] {
        node.backplane.subscribe_node(*boot).await.unwrap();
    }
    let owner = |cluster: &RedisCluster, name: &str| cluster.node_of(name).port();
    let tenants: Vec<_> = (0..9).map(|i| format!("t{i}")).collect();
    let homes: BTreeSet<_> = tenants.iter().map(|t| owner(&cluster, t)).collect();
    assert_eq!(homes.len(), 3, "the names are spread");
    for round in 1..3u64 {
        for tenant in &tenants {
            node.load(tenant).await;
            node.ask(tenant, claim("bot", round as usize)).await;
            node.until(event_of(tenant)).await;
        }
        for boot in &boots {
            node.backplane
                .publish(*boot, Bytes::from_static(b"x"))
                .await
                .unwrap();
            assert_eq!(node.until(packet).await, "x");
            node.backplane.probe(*boot, round).await.unwrap();
            assert_eq!(node.hears().await, Inbound::Probe { number: round });
        }
        if round == 1 {
            cluster.nodes[1].restart();
            node.link_is_back().await;
        }
    }
}
