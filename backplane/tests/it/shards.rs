//! A Cluster: one connection that listens on each node, and all of them count.

use std::collections::BTreeSet;

use backplane::InboundMessage;
use bytes::Bytes;
use fixtures::RedisCluster;
use protocol::{BootId, ErrorCode};
use router_core::store::{DirectoryQuery, DirectoryReply, StoreFailure, StoreReply};

use crate::harness::{BOOT, Node, event_of, is_claimed, packet};
use crate::support::words::claim;

#[tokio::test(flavor = "multi_thread")]
async fn every_node_of_a_cluster_is_used_and_missed() {
    let Some(mut cluster) = RedisCluster::start() else {
        return;
    };
    let boots: Vec<_> = (1..9).map(BootId::from_bits).collect();
    let mut node = Node::start(&cluster.url(), boots[0]).await;
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
            node.ask(tenant, claim("bot", round as u8)).await.unwrap();
            node.until(event_of(tenant)).await;
        }
        for boot in &boots {
            node.backplane
                .publish(*boot, Bytes::from_static(b"x"))
                .await
                .unwrap();
            assert_eq!(node.until(packet).await, "x");
            node.backplane.probe(*boot, round).await.unwrap();
            assert_eq!(node.hears().await, InboundMessage::Probe { number: round });
        }
        if round == 1 {
            cluster.nodes[1].restart();
            node.link_is_back().await;
        }
    }
}

/// An operator moves a slot to another node. Until the tenant's keys are gone from the old one, that
/// one goes on answering for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_is_served_on() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let mut node = Node::start(&cluster.url(), BOOT).await;
    node.load("alice").await;
    node.ask("alice", claim("bot", 1)).await.unwrap();
    node.until(event_of("alice")).await;
    let home = cluster.node_of("{alice}");
    let others = cluster.nodes.iter().find(|it| it.port() != home.port());
    let id = others.unwrap().command(&["CLUSTER", "MYID"]);
    let slot = home.command(&["CLUSTER", "KEYSLOT", "{alice}"]).integer();
    let slot = slot.to_string();
    home.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", id.text()]);
    let claimed = node.ask("alice", claim("bot", 2)).await;
    assert!(is_claimed(&claimed), "{claimed:?}");
    node.until(event_of("alice")).await;
    let version = node.ask("alice", DirectoryQuery::Version).await;
    assert!(
        matches!(version, Ok(StoreReply::Directory(DirectoryReply::Version(ver))) if ver > 0),
        "{version:?}"
    );
    assert_eq!(node.backplane.state().reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_down_is_left_until_it_is_well() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let mut node = Node::start(&cluster.url(), BOOT).await;
    // Without a subscription there, whose end would tell.
    let home = cluster.node_of("{alice}");
    let slot = home.command(&["CLUSTER", "KEYSLOT", "{alice}"]).integer();
    let slot = slot.to_string();
    home.command(&["CLUSTER", "DELSLOTS", &slot]);
    let refused = Err(StoreFailure::Refused(ErrorCode::StoreUnavailable));
    node.asks_until(claim("bot", 1), |it| *it == refused).await;
    assert_eq!(node.hears().await, InboundMessage::LinkDown);
    home.command(&["CLUSTER", "ADDSLOTS", &slot]);
    assert_eq!(node.hears().await, InboundMessage::LinkUp);
    let claimed = node.ask("alice", claim("bot", 1)).await;
    assert!(is_claimed(&claimed), "{claimed:?}");
}
