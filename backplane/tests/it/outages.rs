//! What a command hears when Redis is not there: lost if it may have been executed, refused if not.

use std::time::Duration;

use backplane::InboundMessage;
use bytes::Bytes;
use fixtures::{RedisProxy, RedisServer};
use protocol::ErrorCode;
use router_core::store::nodes::{NodeQuery, NodeReply};
use router_core::store::{DirectoryQuery, DirectoryReply, StoreFailure, StoreReply, StoreResult};

use crate::harness::{BOOT, Node, OTHER, directory, event_of, is_claimed, packet};
use crate::support::words::{claim, load};

const REFUSED: StoreResult = Err(StoreFailure::Refused(ErrorCode::StoreUnavailable));
const LOST: StoreResult = Err(StoreFailure::Lost);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts() {
    let Some(mut redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    node.load("alice").await;
    redis.stop();
    assert_eq!(node.hears().await, InboundMessage::LinkDown);
    assert_eq!(node.ask("alice", claim("bot", 1)).await, REFUSED);
    assert_eq!(node.ask("alice", load(&[])).await, REFUSED);
    let describe = NodeQuery::Describe(BOOT);
    assert_eq!(
        node.backplane.execute_node(describe).await,
        NodeReply::Unavailable
    );
    assert_eq!(node.backplane.publish(BOOT, Bytes::new()).await, Err(()));
    assert_eq!(node.backplane.subscribe_node(OTHER).await, Err(()));
    assert!(!node.backplane.state().connected);
    redis.restart();
    assert_eq!(node.hears().await, InboundMessage::LinkUp);
    let version = node.ask("alice", DirectoryQuery::Version).await;
    assert_eq!(version, directory(DirectoryReply::Version(0)));
    node.ask("alice", claim("bot", 1)).await.unwrap();
    node.until(event_of("alice")).await;
    for boot in [BOOT, OTHER] {
        node.backplane
            .publish(boot, Bytes::from_static(b"x"))
            .await
            .unwrap();
        assert_eq!(node.until(packet).await, "x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    node.load("alice").await;
    redis.pause();
    assert_eq!(node.ask("alice", claim("bot", 1)).await, LOST);
    assert_eq!(node.hears().await, InboundMessage::LinkDown);
    assert_eq!(node.ask("alice", claim("bot", 1)).await, REFUSED);
    redis.resume();
    node.until(|it| (it == InboundMessage::LinkUp).then_some(()))
        .await;
    let version = node.ask("alice", DirectoryQuery::Version).await;
    assert!(
        matches!(version, Ok(StoreReply::Directory(DirectoryReply::Version(ver))) if ver > 0),
        "it was executed: {version:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_pause_breaks_nothing() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    redis.pause();
    assert_eq!(node.ask("alice", claim("bot", 1)).await, LOST);
    redis.resume();
    node.asks_until(claim("bot", 1), is_claimed).await;
    node.backplane.probe(BOOT, 1).await.unwrap();
    assert_eq!(node.hears().await, InboundMessage::Probe { number: 1 });
    assert_eq!(node.backplane.state().reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_while_a_command_is_under_way() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let proxy = RedisProxy::start(redis.port(), 1);
    let mut node = Node::start(&proxy.url(), BOOT).await;
    node.load("alice").await;
    proxy.stall(true);
    let (reply, published, ()) = tokio::join!(
        node.ask("alice", claim("bot", 1)),
        node.backplane.publish(BOOT, Bytes::new()),
        proxy.cut_for(Duration::from_millis(300)),
    );
    assert_eq!((reply, published), (LOST, Err(())));
    assert_eq!(node.hears().await, InboundMessage::LinkDown);
    assert_eq!(node.ask("alice", claim("bot", 1)).await, REFUSED);
    proxy.stall(false);
    assert_eq!(node.hears().await, InboundMessage::LinkUp);
    assert!(is_claimed(&node.ask("alice", claim("bot", 1)).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_becomes_a_replica() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    redis.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(node.ask("alice", claim("bot", 1)).await, REFUSED);
    assert_eq!(node.hears().await, InboundMessage::LinkDown);
    redis.command(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(node.hears().await, InboundMessage::LinkUp);
    assert!(is_claimed(&node.ask("alice", claim("bot", 1)).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_within_a_script_may_have_been_written() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    redis.command(&["ACL", "SETUSER", "bob", "on", ">pw", "~*", "&*", "+@all"]);
    let url = format!("redis://bob:pw@127.0.0.1:{}", redis.port());
    let node = Node::start(&url, BOOT).await;
    redis.command(&["ACL", "SETUSER", "bob", "-publish"]);
    assert_eq!(node.ask("alice", claim("bot", 1)).await, LOST);
    let written = redis.command(&["EXISTS", "t2b:{alice}:dir"]);
    assert_eq!(written.integer(), 1);
    redis.command(&["ACL", "SETUSER", "bob", "-evalsha"]);
    assert_eq!(node.ask("alice", claim("bot", 2)).await, REFUSED);
}
