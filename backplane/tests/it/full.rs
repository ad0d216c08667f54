//! A Redis without memory for more: what would grow is refused and leaves nothing behind; all else
//! goes on, so that there may be room again.

use fixtures::{RedisServer, RespValue};
use protocol::{ErrorCode, TenantLabels, UsageHour};
use router_core::store::nodes::{NodeHello, NodeQuery, NodeReply};
use router_core::store::{
    DirectoryReply, LabelsQuery, LabelsReply, PolicyQuery, PolicyReply, StoreFailure, StoreReply,
    StoreResult, TenantPolicy,
};

use crate::harness::{BOOT, Node, directory, event_of};
use crate::support::words::{assert, claim, enter, forget, labels, load, reap, release};

const FULL: StoreResult = Err(StoreFailure::Refused(ErrorCode::QuotaExceeded));

fn beat(beat: u64) -> NodeQuery {
    NodeQuery::Beat {
        boot: BOOT,
        beat,
        known_generation: None,
        fresh_generation: 7,
        flushed: UsageHour::default(),
    }
}

async fn claimed(node: &Node, bot: &str, by: u8) -> u64 {
    let reply = node.ask("alice", claim(bot, by)).await;
    let Ok(StoreReply::Directory(DirectoryReply::Claimed { epoch, .. })) = reply else {
        panic!("{reply:?}");
    };
    epoch
}

/// All that Redis has of the tenant.
fn stored(redis: &RedisServer) -> [RespValue; 3] {
    let get = |command, key: &str| redis.command(&[command, &format!("t2b:{{alice}}:{key}")]);
    [
        get("HGETALL", "dir"),
        get("GET", "ver"),
        get("HGETALL", "policy"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_grow_is_refused_and_leaves_nothing() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let node = Node::start(&redis.url(), BOOT).await;
    claimed(&node, "bot", 11).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let before = stored(&redis);
    assert_eq!(node.ask("alice", claim("bot", 12)).await, FULL);
    assert_eq!(node.ask("alice", enter(12, "anna")).await, FULL);
    assert_eq!(stored(&redis), before);
    let state = node.backplane.state();
    assert_eq!((state.full_refusals, state.is_full), (2, true));
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    claimed(&node, "bot", 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_goes_on() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut node = Node::start(&redis.url(), BOOT).await;
    let epoch = claimed(&node, "bot", 11).await;
    claimed(&node, "other", 12).await;
    claimed(&node, "old", 13).await;
    node.backplane.execute_node(beat(1)).await;
    let pro = labels(&[("plan", "pro")]);
    assert_eq!(
        node.ask("alice", LabelsQuery::Put(pro.clone())).await,
        told(pro)
    );
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);

    nodes_go_on(&node).await;
    // A new connection, with its scripts and subscriptions.
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    node.link_is_back().await;
    entries_end(&mut node, epoch).await;
    policies_change(&node).await;
    labels_are_removed(&node).await;
    let loaded = node.ask("alice", load(&[])).await;
    let Ok(StoreReply::Directory(DirectoryReply::Loaded(left))) = loaded else {
        panic!()
    };
    let bots: Vec<_> = left
        .bots
        .iter()
        .map(|it| (it.info.id.as_str(), it.holder.as_ref()))
        .collect();
    assert_eq!(bots, [("bot", None), ("other", None)]);
}

fn told(labels: TenantLabels) -> StoreResult {
    Ok(StoreReply::Labels(LabelsReply::Labels(labels)))
}

/// Labels are removed; new ones are refused and change nothing.
async fn labels_are_removed(node: &Node) {
    let (pro, free) = (labels(&[("plan", "pro")]), labels(&[("plan", "free")]));
    assert_eq!(node.ask("alice", LabelsQuery::Put(free)).await, FULL);
    assert_eq!(node.ask("alice", LabelsQuery::Get).await, told(pro));
    let none = told(TenantLabels::default());
    let removed = LabelsQuery::Put(TenantLabels::default());
    assert_eq!(node.ask("alice", removed).await, none);
    assert_eq!(node.ask("alice", LabelsQuery::Get).await, none);
}

/// Beats, hellos and evictions are taken.
async fn nodes_go_on(node: &Node) {
    let beats = NodeReply::Beats {
        generation: 7,
        beats: vec![(BOOT, 2)],
        flushed: vec![(BOOT, UsageHour::default())],
    };
    assert_eq!(node.backplane.execute_node(beat(2)).await, beats);
    let hello = NodeQuery::Hello {
        boot: BOOT,
        hello: NodeHello {
            name: "a".into(),
            address: "b".into(),
            peer_address: "127.0.0.1:9464".into(),
            version: "c".into(),
            wire: [1, 1],
            keys: [].into(),
            serving: false,
            connections: 0,
        },
    };
    assert_eq!(node.backplane.execute_node(hello).await, NodeReply::Done);
    let evict = NodeQuery::Evict {
        boot: BOOT,
        beat: 2,
    };
    assert_eq!(
        node.backplane.execute_node(evict).await,
        NodeReply::Evict(true)
    );
}

/// What a node releases, repeats and forgets is taken.
async fn entries_end(node: &mut Node, epoch: u64) {
    node.load("alice").await;
    assert_eq!(
        node.ask("alice", release(11, &[("bot", epoch)], &["anna"]))
            .await,
        directory(DirectoryReply::Done)
    );
    node.until(event_of("alice")).await;
    let held = node
        .ask("alice", assert(&[("bot", 11, epoch + 1)], &[], 0))
        .await;
    assert_eq!(held, directory(DirectoryReply::Asserted(vec![])));
    let forgotten = forget("old", None);
    let elsewhere = Err(StoreFailure::Refused(ErrorCode::NotYourIdentity));
    assert_eq!(node.ask("alice", forgotten.clone()).await, elsewhere);
    let done = directory(DirectoryReply::Done);
    assert_eq!(node.ask("alice", reap(&[1])).await, done);
    assert_eq!(node.ask("alice", forgotten).await, done);
}

/// A key is revoked and a tenant suspended.
async fn policies_change(node: &Node) {
    let policy = |generation, suspended| {
        Ok(StoreReply::Policy(PolicyReply::Changed(TenantPolicy {
            generation,
            suspended,
            assigned: None,
        })))
    };
    assert_eq!(
        node.ask("alice", PolicyQuery::Revoke).await,
        policy(1, false)
    );
    assert_eq!(
        node.ask("alice", PolicyQuery::Suspend(true)).await,
        policy(1, true)
    );
}
