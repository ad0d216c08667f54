//! A node that has all sockets gives some to another that has none, until the difference is small.

use std::time::{Duration, Instant};

use fixtures::until_within;
use tokio::task::JoinSet;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::socket::TestSocket;

const SOCKETS: usize = 60;
/// The node gives while it has 20 more than the average, one a second. It hears every 10 s how many the other has.
const GIVEN: Duration = Duration::from_secs(40);

pub async fn a_full_node_gives_sockets_to_an_empty_one() -> String {
    let cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        environment: vec![("T2B_REBALANCE", "true".to_owned())],
        ..ClusterSetup::default()
    })
    .await;
    let (other, key) = (cluster.nodes[1].public.clone(), cluster.key("alice"));
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..SOCKETS {
        let client = format!("client_{number}");
        let socket = cluster.socket(0, "alice", &client).await;
        clients.spawn(move_when_asked(socket, other.clone(), key.clone(), client));
    }
    let [node, empty] = [0, 1].map(|at| &cluster.nodes[at]);
    let (left, taken) = until_within(GIVEN, "the difference is small", async || {
        let left = node.metrics().await["t2b_connections"] as usize;
        let taken = empty.metrics().await["t2b_connections"] as usize;
        let average = (left + taken) / 2;
        (left + taken == SOCKETS && left < average + 20).then_some((left, taken))
    })
    .await;
    let metrics = node.metrics().await;
    assert_eq!(metrics[r#"t2b_moves_total{outcome="closed"}"#], 0.0);
    let took = began.elapsed().as_secs_f32();
    format!("{left} and {taken} sockets after {took:.1} s, all moved by themselves")
}

/// Moves to the other node when it is asked to; panics if its socket is closed before.
async fn move_when_asked(mut socket: TestSocket, other: String, key: String, client: String) {
    loop {
        let frame = socket.next().await.expect("nobody is closed");
        if frame["type"] == "migrate" {
            assert_eq!(frame["data"]["reason"], "rebalance");
            socket = TestSocket::connect(&other, &key, &client).await.unwrap();
        }
    }
}
