//! One of three nodes loses Redis, and then all of them: the one gives up its sockets, all of them do not.

use std::time::{Duration, Instant};

use fixtures::{pass_until, until, until_within};
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::socket::TestSocket;

/// In so long a node that is cut off alone is not ready.
const UNREADY: Duration = Duration::from_secs(10);
/// How long a node is cut off.
const CUT: Duration = Duration::from_secs(45);
/// The most that a cut node needs to have moved all: 5 % a second, and the time of the last socket.
const MOVED: Duration = Duration::from_secs(40);
/// Sockets of the node.
const SOCKETS: usize = 40;
/// How long Redis is away for all: longer than a node needs to be sure.
const AWAY: Duration = Duration::from_secs(15);

pub async fn a_node_that_is_cut_off_alone_gives_up_its_sockets() -> String {
    let cluster = TestCluster::start(ClusterSetup {
        proxied: true,
        ..ClusterSetup::default()
    })
    .await;
    let [node, other, third] = &cluster.nodes[..] else {
        unreachable!("there are three");
    };
    let mut sockets = Vec::new();
    for number in 0..SOCKETS {
        let client = format!("client_{number}");
        sockets.push(cluster.socket(0, "alice", &client).await);
    }
    until("the nodes know where to ask each other", async || {
        let seen = node.nodes().await?;
        let others = seen["nodes"].as_array()?;
        let mut described = others.iter().map(|it| it["address"].is_string());
        described.all(|it| it).then_some(())
    })
    .await;

    let cut = Instant::now();
    let (unready, moved, ()) = tokio::join!(
        async {
            let unready = until_within(UNREADY, "the node is not ready", async || {
                let (status, text) = node.get("/readyz").await?;
                (status == 503 && text == "isolated\n").then(|| cut.elapsed())
            });
            let unready = unready.await;
            assert_eq!(node.get("/healthz").await.unwrap().0, 200);
            assert_eq!(node.nodes().await.unwrap()["isolation"], "cut_off");
            for node in [other, third] {
                assert_eq!(node.get("/readyz").await.unwrap().0, 200);
            }
            unready
        },
        async {
            let asked = join_all(sockets.iter_mut().map(is_asked_to_move));
            timeout(MOVED, asked).await.expect("all are asked");
            cut.elapsed()
        },
        cluster.proxies[0].cut_for(CUT),
    );
    let healed = until("the node is ready again", async || {
        let (status, _) = node.get("/readyz").await?;
        (status == 200).then(|| cut.elapsed() - CUT)
    })
    .await;
    assert_eq!(node.metrics().await["t2b_isolated"], 0.0);
    format!(
        "not ready after {} ms, {SOCKETS} sockets asked to move within {:.1} s, ready again {} ms after the cut",
        unready.as_millis(),
        moved.as_secs_f32(),
        healed.as_millis()
    )
}

async fn is_asked_to_move(socket: &mut TestSocket) {
    loop {
        let frame = socket.next().await.expect("it is not closed before");
        if frame["type"] == "migrate" {
            return assert_eq!(frame["data"]["reason"], "isolated");
        }
    }
}

pub async fn nodes_that_all_lose_redis_keep_their_sockets() -> String {
    let mut cluster = TestCluster::start(ClusterSetup {
        appendonly: true,
        ..ClusterSetup::default()
    })
    .await;
    let mut phone = cluster.socket(0, "alice", "phone").await;
    let mut bot = cluster.bot(0, "alice", "bot").await;
    let gone = Instant::now();
    cluster.redis.stop();
    let mut looks = 0;
    while gone.elapsed() < AWAY {
        for node in &cluster.nodes {
            let (status, text) = node.get("/readyz").await.unwrap();
            assert_eq!((status, text.as_str()), (200, "ready\n"));
            looks += 1;
        }
        pass_until(Instant::now() + Duration::from_millis(250)).await;
    }
    for node in &cluster.nodes {
        assert_eq!(node.nodes().await.unwrap()["isolation"], "staying");
        assert_eq!(
            node.metrics().await[r#"t2b_moves_total{outcome="asked"}"#],
            0.0
        );
    }
    let answer = phone.ask("message", json!({"to": "bot", "text": "hello"}));
    assert_eq!(answer.await["data"]["status"], "delivered");
    bot.expect("message").await;
    cluster.redis.restart();
    cluster.is_whole().await;
    format!("{looks} looks in {} s, always ready", AWAY.as_secs())
}
