//! A Redis without memory for more: what would grow is refused and leaves nothing behind; all else
//! goes on, so that there may be room again.

use fixtures::{Redis, Value};
use protocol::ErrorCode;
use router_core::store::nodes::{Hello, NodeAsk, NodeReply};
use router_core::store::{
    Ask, Assert, BotRecord, ConnRecord, Fence, Holder, Policy, Release, Reply,
};

use crate::harness::{BOOT, Node, bot, claim, conn, event_of, load};

const FULL: Reply = Reply::Refused(ErrorCode::QuotaExceeded);

fn beat(beat: u64) -> NodeAsk {
    NodeAsk::Beat {
        boot: BOOT,
        beat,
        known_generation: None,
        fresh_generation: 7,
    }
}

fn fence(by: usize, epoch: u64) -> Fence {
    let conn = conn(by);
    Fence { conn, epoch }
}

fn release(by: usize, epoch: u64) -> Ask {
    Ask::Release(Box::new(Release {
        bots: vec![("bot".parse().unwrap(), fence(by, epoch))],
        conns: vec![conn(by)],
        seen: vec!["anna".parse().unwrap()],
    }))
}

fn enter(by: usize) -> Ask {
    let client = "anna".parse().unwrap();
    let record = ConnRecord { boot: BOOT, client };
    Ask::Enter {
        conn: conn(by),
        record,
    }
}

fn assert_held(name: &str, by: usize, epoch: u64) -> Ask {
    let (boot, conn) = (BOOT, conn(by));
    Ask::Assert(Box::new(Assert {
        boot,
        bots: vec![BotRecord {
            info: bot(name),
            holder: Some(Holder { boot, conn }),
            epoch,
            instance: None,
        }],
        conns: vec![],
        generation: 0,
    }))
}

async fn claimed(node: &Node, bot: &str, by: usize) -> u64 {
    let reply = node.ask("alice", claim(bot, by)).await;
    let Reply::Claimed { epoch, .. } = reply else {
        panic!("{reply:?}");
    };
    epoch
}

/// All that Redis has of the tenant.
fn stored(redis: &Redis) -> [Value; 3] {
    let get = |command, key: &str| redis.command(&[command, &format!("t2b-test:{{alice}}:{key}")]);
    [
        get("HGETALL", "dir"),
        get("GET", "ver"),
        get("HGETALL", "policy"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_grow_is_refused_and_leaves_nothing() {
    let Some(redis) = Redis::start() else { return };
    let node = Node::start(&redis.url(), BOOT).await;
    claimed(&node, "bot", 1).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let before = stored(&redis);
    assert_eq!(node.ask("alice", claim("bot", 2)).await, FULL);
    assert_eq!(node.ask("alice", enter(2)).await, FULL);
    assert_eq!(stored(&redis), before);
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    claimed(&node, "bot", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_goes_on() {
    let Some(redis) = Redis::start() else { return };
    let mut node = Node::start(&redis.url(), BOOT).await;
    let epoch = claimed(&node, "bot", 1).await;
    claimed(&node, "other", 2).await;
    claimed(&node, "old", 3).await;
    node.backplane.execute_node(beat(1)).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);

    // Nodes.
    let beats = NodeReply::Beats {
        generation: 7,
        beats: vec![(BOOT, 2)],
    };
    assert_eq!(node.backplane.execute_node(beat(2)).await, beats);
    let hello = NodeAsk::Hello {
        boot: BOOT,
        hello: Hello {
            name: "a".into(),
            address: "b".into(),
            version: "c".into(),
            wire: [1, 1],
            keys: [].into(),
            serving: false,
            connections: 0,
        },
    };
    assert_eq!(node.backplane.execute_node(hello).await, NodeReply::Done);
    let bury = NodeAsk::Bury {
        boot: BOOT,
        beat: 2,
    };
    assert_eq!(
        node.backplane.execute_node(bury).await,
        NodeReply::Bury(true)
    );

    // A new connection, with its scripts and subscriptions.
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    node.link_is_back().await;

    // A tenant.
    node.load("alice").await;
    assert_eq!(node.ask("alice", release(1, epoch)).await, Reply::Done);
    node.until(event_of("alice")).await;
    let held = node.ask("alice", assert_held("bot", 1, epoch + 1)).await;
    assert_eq!(held, Reply::Asserted(vec![]));
    let forgotten = Ask::Forget {
        bot: "old".parse().unwrap(),
        fence: None,
    };
    let elsewhere = Reply::Refused(ErrorCode::NotYourIdentity);
    assert_eq!(node.ask("alice", forgotten.clone()).await, elsewhere);
    let reap = Ask::Reap {
        dead: [BOOT].into(),
    };
    assert_eq!(node.ask("alice", reap).await, Reply::Done);
    assert_eq!(node.ask("alice", forgotten).await, Reply::Done);
    let policy = |generation, suspended| {
        Reply::Policy(Policy {
            generation,
            suspended,
        })
    };
    assert_eq!(node.ask("alice", Ask::Revoke).await, policy(1, false));
    assert_eq!(node.ask("alice", Ask::Suspend(true)).await, policy(1, true));
    let Reply::Loaded(left) = node.ask("alice", load()).await else {
        panic!()
    };
    let bots: Vec<_> = left
        .bots
        .iter()
        .map(|it| (it.info.id.as_str(), it.holder.as_ref()))
        .collect();
    assert_eq!(bots, [("bot", None), ("other", None)]);
}
