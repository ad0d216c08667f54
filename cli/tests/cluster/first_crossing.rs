//! A node that has just started writes to another one: its first message is as fast as the next.

use std::time::{Duration, Instant};

use fixtures::MeasuredTimes;

use crate::cluster::{ClusterSetup, TestCluster};

/// How often a node starts.
const STARTS: usize = 20;
/// Less than the first repetition of a lane, 500 ms: no message waited for one.
const FAST: Duration = Duration::from_millis(250);

pub async fn the_first_message_of_a_new_node_is_fast() -> String {
    let mut cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        ..ClusterSetup::default()
    })
    .await;
    let _bot = cluster.bot(0, "alice", "bot_main").await;
    let (mut first, mut second) = (MeasuredTimes::default(), MeasuredTimes::default());
    for _ in 0..STARTS {
        cluster.nodes[1].stop().await;
        cluster.nodes[1].restart().await;
        let mut phone = cluster.socket(1, "alice", "phone").await;
        for times in [&mut first, &mut second] {
            let begun = Instant::now();
            assert_eq!(phone.say("bot_main", "hello").await, "delivered");
            times.push(begun.elapsed());
        }
    }
    assert!(first.max() < FAST, "first messages: {first}");
    format!("first messages: {first}; the next: {second}")
}
