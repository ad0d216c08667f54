//! One tenant's requests are executed in the order of the calls.

use fixtures::RedisServer;
use futures_util::future::join_all;
use router_core::store::{DirectoryQuery, DirectoryReply, StoreReply};

use crate::harness::{BOOT, Node, is_claimed};
use crate::support::words::{claim, load};

/// Claims and loads, all at once; every reply fits the order of the calls.
async fn ask_all_at_once(node: &Node, round: usize) {
    let queries: Vec<DirectoryQuery> = (1..200u8)
        .map(|i| match i % 20 {
            0 => load(&[]),
            _ => claim(&format!("bot-{round}-{i}"), i),
        })
        .collect();
    let replies = join_all(queries.into_iter().map(|query| node.ask("alice", query))).await;
    let mut last = 0;
    for (number, reply) in replies.into_iter().enumerate() {
        match reply.and_then(StoreReply::into_directory) {
            Ok(DirectoryReply::Claimed { epoch, .. }) => {
                assert!(epoch > last, "{number}");
                last = epoch;
            }
            Ok(DirectoryReply::Loaded(snapshot)) => {
                let newest = snapshot.bots.iter().map(|bot| bot.epoch).max();
                assert_eq!(newest, Some(last), "{number}");
            }
            other => panic!("{number}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_executed_in_turn() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let node = Node::start(&redis.url(), BOOT).await;
    for round in 0..5 {
        ask_all_at_once(&node, round).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_were_forgotten_are_learned_again() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let node = Node::start(&redis.url(), BOOT).await;
    redis.command(&["SCRIPT", "FLUSH"]);
    for _ in 0..2 {
        let reply = node.ask("alice", claim("bot", 1)).await;
        assert!(is_claimed(&reply), "{reply:?}");
    }
    node.load("alice").await;
    ask_all_at_once(&node, 0).await;
}
