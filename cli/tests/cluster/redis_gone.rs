//! Redis is away for longer than a lane waits: what a node can do alone goes on, what it cannot is
//! refused, and then all is as before.

use std::time::{Duration, Instant};

use fixtures::{pass_until, until, until_within};
use serde_json::json;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::flow::{MessageFlow, SilentSocket};
use crate::socket::{TestSocket, outcome_of};

const AWAY: Duration = Duration::from_secs(12);
/// In so long every message has its answer.
const ANSWERED: Duration = Duration::from_secs(8);
/// In so long a new registration is refused.
const REFUSED: Duration = Duration::from_secs(5);
/// In so long everything is as before.
const HEALED: Duration = Duration::from_secs(5);

pub async fn nodes_stand_without_redis() -> String {
    let setup = ClusterSetup {
        appendonly: true,
        ..ClusterSetup::default()
    };
    let mut cluster = TestCluster::start(setup).await;
    let bots = [
        cluster.bot(0, "alice", "bot-0").await,
        cluster.bot(1, "alice", "bot-1").await,
    ]
    .map(SilentSocket::start);
    let mut late = cluster.socket(0, "alice", "late").await;
    cluster.bots_online("alice", &["bot-0", "bot-1"]).await;
    let [near, far] = flows(&cluster).await;

    let gone = Instant::now();
    cluster.redis.stop();
    let down = Instant::now();
    let degraded = is_degraded(&cluster, down).await;
    let refused = claim_is_refused(&mut late).await;
    status_names_the_cause(&cluster).await;
    pass_until(gone + AWAY).await;

    cluster.redis.restart();
    let back = Instant::now();
    let healed = messages_flow(&[&near, &far], back).await;
    let registered = until("a new bot can be registered", async || {
        let answer = late.ask("register_bot", json!({"botId": "bot-new"})).await;
        (answer["type"] == "bot_registered").then(|| back.elapsed())
    })
    .await;
    cluster.is_whole().await;
    cluster
        .bots_online("alice", &["bot-0", "bot-1", "bot-new"])
        .await;
    let whole = back.elapsed();

    near.is_sound();
    far.is_sound();
    let near_outcomes = near.outcomes(down, back);
    assert!(
        near_outcomes.keys().eq(["delivered"]),
        "near: {near_outcomes:?}"
    );
    let slowest = is_answered(&far, gone, back);
    bots.iter().for_each(SilentSocket::is_sound);
    let [degraded, refused, slowest, healed, registered, whole] =
        [degraded, refused, slowest, healed, registered, whole].map(|time| time.as_millis());
    format!(
        "{} s away: degraded after {degraded} ms, a claim refused after {refused} ms; near: {near_outcomes:?}; far: {:?}, the slowest answer after {slowest} ms; back: messages {healed} ms, claim {registered} ms, all {whole} ms",
        AWAY.as_secs(),
        far.outcomes(down, back),
    )
}

/// One flow within node 0 and one from it to node 1, once messages flow.
async fn flows(cluster: &TestCluster) -> [MessageFlow; 2] {
    let [near, far] = ["near", "far"].map(|name| cluster.socket(0, "alice", name));
    let flows = [
        MessageFlow::start("near".to_owned(), near.await, "bot-0".to_owned()),
        MessageFlow::start("far".to_owned(), far.await, "bot-1".to_owned()),
    ];
    let start = Instant::now();
    for flow in &flows {
        until("messages flow", async || flow.delivered_since(start)).await;
    }
    flows
}

/// Waits until every node says that it is degraded, and healthy and ready all the same; how long it
/// took since `down`.
async fn is_degraded(cluster: &TestCluster, down: Instant) -> Duration {
    let degraded = until("every node is degraded", async || {
        for node in &cluster.nodes {
            let seen = node.nodes().await?;
            (seen["degraded"] == true).then_some(())?;
        }
        Some(down.elapsed())
    })
    .await;
    for node in &cluster.nodes {
        assert_eq!(node.get("/healthz").await.unwrap().0, 200);
        assert_eq!(node.get("/readyz").await.unwrap().0, 200);
        assert_eq!(node.metrics().await["t2b_degraded"], 1.0);
    }
    degraded
}

async fn claim_is_refused(socket: &mut TestSocket) -> Duration {
    let asked = Instant::now();
    let answer = socket
        .ask("register_bot", json!({"botId": "bot-new"}))
        .await;
    assert_eq!(outcome_of(&answer), "store_unavailable");
    let refused = asked.elapsed();
    assert!(refused <= REFUSED, "refused after {refused:?}");
    refused
}

/// How long after `back` it took until messages of every flow were delivered.
async fn messages_flow(flows: &[&MessageFlow], back: Instant) -> Duration {
    let mut healed = Duration::ZERO;
    for flow in flows {
        let at = until_within(HEALED, "messages flow again", async || {
            flow.delivered_since(back)
        });
        healed = healed.max(at.await - back);
    }
    healed
}

/// Every message of that time was answered in time; how long the slowest took.
#[track_caller]
fn is_answered(flow: &MessageFlow, from: Instant, to: Instant) -> Duration {
    let mut slowest = Duration::ZERO;
    let may_be = ["delivered", "unreachable", "delivery_unknown"];
    let mut refused = 0;
    for one in flow.attempts() {
        if !(from..to).contains(&one.sent) {
            continue;
        }
        let (at, outcome) = one.answer.expect("every message has its answer");
        assert!(may_be.contains(&outcome.as_str()), "{outcome}");
        refused += usize::from(outcome != "delivered");
        slowest = slowest.max(at - one.sent);
    }
    assert!(refused > 0, "nothing was refused");
    assert!(slowest <= ANSWERED, "an answer took {slowest:?}");
    slowest
}

/// `t2b gateway status` says why the node is degraded, and exits with 2.
async fn status_names_the_cause(cluster: &TestCluster) {
    let (code, status) = cluster.nodes[0].status_code().await;
    assert_eq!(code, Some(2), "{status}");
    let is_named = [
        "the store does not answer",
        "the subscription is not connected",
    ]
    .iter()
    .any(|cause| status.contains(&format!("degraded: {cause}")));
    assert!(is_named, "{status}");
}
