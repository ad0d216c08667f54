//! The connection that listens: it comes back with everything, and never silently goes deaf.

use backplane::InboundMessage;
use bytes::Bytes;
use fixtures::{RedisProxy, RedisServer};

use crate::harness::{BOOT, Node, OTHER, event_of, packet};
use crate::support::words::claim;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_arrives_in_order() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    let other = Node::start(&redis.url(), OTHER).await;
    node.load("alice").await;
    let binary = Bytes::from_static(b"\x00\r\n\xff");
    other.backplane.publish(BOOT, binary.clone()).await.unwrap();
    other.ask("alice", claim("bot", 1)).await.unwrap();
    other.ask("bob", claim("bot", 1)).await.unwrap();
    node.backplane.probe(BOOT, 7).await.unwrap();
    assert_eq!(node.hears().await, InboundMessage::Packet(binary));
    assert!(
        matches!(node.hears().await, InboundMessage::Event { tenant, .. } if tenant.as_str() == "alice")
    );
    assert_eq!(node.hears().await, InboundMessage::Probe { number: 7 });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ended_is_not_heard() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    node.backplane.subscribe_node(OTHER).await.unwrap();
    node.load("alice").await;
    node.backplane.unload(&"alice".parse().unwrap());
    node.backplane.unsubscribe_node(BOOT);
    // Orders are confirmed in turn.
    node.load("bob").await;
    node.ask("alice", claim("bot", 1)).await.unwrap();
    node.backplane
        .publish(BOOT, Bytes::from_static(b"x"))
        .await
        .unwrap();
    node.backplane.probe(OTHER, 1).await.unwrap();
    assert_eq!(node.hears().await, InboundMessage::Probe { number: 1 });
}

/// The second load waits for the first.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_ended_while_a_load_waits_stays_ended() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    let unload = async { node.backplane.unload(&"alice".parse().unwrap()) };
    tokio::join!(node.load("alice"), node.load("alice"), unload);
    // Orders are confirmed in turn.
    node.load("bob").await;
    let channels = redis.command(&["PUBSUB", "CHANNELS", "*alice*"]);
    assert_eq!(channels.members().len(), 0);
    node.backplane.renew();
    node.link_is_back().await;
    let channels = redis.command(&["PUBSUB", "CHANNELS", "*alice*"]);
    assert_eq!(channels.members().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_subscriptions_come_back_all() {
    // More than fit into one batch.
    const TENANTS: usize = 600;
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    for i in 0..TENANTS {
        node.load(&format!("t{i}")).await;
    }
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert_eq!(node.hears().await, InboundMessage::LinkDown);
    let error = node.backplane.state().last_error.unwrap_or_default();
    assert!(error.contains("Redis closed the connection"), "{error}");
    assert_eq!(node.hears().await, InboundMessage::LinkUp);
    let channels = redis.command(&["PUBSUB", "CHANNELS"]);
    assert_eq!(channels.members().len(), TENANTS + 1);
    for i in [0, TENANTS - 1] {
        let tenant = format!("t{i}");
        node.ask(&tenant, claim("bot", 1)).await.unwrap();
        node.until(event_of(&tenant)).await;
    }
    node.backplane.probe(BOOT, 2).await.unwrap();
    assert_eq!(node.hears().await, InboundMessage::Probe { number: 2 });
    assert_eq!(node.backplane.state().reconnects, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_inbox_holds_the_connection_back_and_loses_nothing() {
    const PACKETS: u32 = 5000;
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    let other = Node::start(&redis.url(), OTHER).await;
    for i in 0..PACKETS {
        let number = Bytes::copy_from_slice(&i.to_be_bytes());
        other.backplane.publish(BOOT, number).await.unwrap();
    }
    for i in 0..PACKETS {
        assert_eq!(node.until(packet).await, i.to_be_bytes().as_slice());
    }
    let state = node.backplane.state();
    assert!(state.full_waits > 0);
    assert_eq!(state.reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_counted_and_nothing_else() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    node.load("alice").await;
    redis.command(&["PUBLISH", "t2b:{alice}:events", "nonsense"]);
    redis.command(&["HSET", "t2b:{alice}:dir", "b:bot", "nonsense", "x", "y"]);
    node.load("alice").await;
    assert_eq!(node.backplane.state().skipped_records, 3);
    node.ask("alice", claim("bot", 1)).await.unwrap();
    node.until(event_of("alice")).await;
}

/// All connections stand and answer, and yet nothing comes: as after a failover behind a proxy.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_deaf_gets_new_connections() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let proxy = RedisProxy::start(redis.port(), 1);
    let mut node = Node::start(&proxy.url(), BOOT).await;
    node.load("alice").await;
    let before = proxy.counts().connections;
    node.backplane.renew();
    node.link_is_back().await;
    assert!(proxy.counts().connections >= before + 3);
    let state = node.backplane.state();
    let error = state.last_error.unwrap_or_default();
    assert!(error.contains("probes"), "{error}");
    assert_eq!(state.reconnects, 1);
    node.ask("alice", claim("bot", 1)).await.unwrap();
    node.until(event_of("alice")).await;
}
