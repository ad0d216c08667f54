//! Usage: gateways are killed, Redis is killed and away, and the ledger has what clients saw.
//!
//! What a client was answered is counted here, with the node and the time. The ledger may lack what a node answered
//! in the moment before it was killed; nothing else, and it may have nothing more.

mod compare;
mod seen;
pub mod series;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fixtures::{pass_until, until};
use protocol::units::duration_text;
use tokio::task::JoinSet;

use self::compare::compare;
pub use self::compare::read_ledger;
use self::seen::SeenUsage;
use crate::cluster::{ClusterSetup, TestCluster};

/// How often nodes flush, and how often they write their journal.
const FLUSH: Duration = Duration::from_secs(1);
const JOURNAL: Duration = Duration::from_millis(100);

/// How long, and how much is broken.
struct LedgerPlan {
    tenants: usize,
    kills: usize,
    redis_kills: usize,
    /// How often Redis is away, and for how long.
    outages: (usize, Duration),
    /// Between two of these.
    pause: Duration,
    /// How often nodes write their journal; absent: never.
    journal: Option<Duration>,
}

const SHORT: LedgerPlan = LedgerPlan {
    tenants: 20,
    kills: 4,
    redis_kills: 1,
    outages: (1, Duration::from_secs(4)),
    pause: Duration::from_millis(1500),
    journal: Some(JOURNAL),
};
const LONG: LedgerPlan = LedgerPlan {
    tenants: 200,
    kills: 20,
    redis_kills: 5,
    outages: (3, Duration::from_secs(30)),
    pause: Duration::from_secs(17),
    journal: Some(JOURNAL),
};

const UNWRITTEN: LedgerPlan = LedgerPlan {
    tenants: 10,
    kills: 3,
    redis_kills: 0,
    outages: (0, Duration::ZERO),
    journal: None,
    ..SHORT
};

pub async fn the_ledger_is_what_clients_saw() -> String {
    let is_long = std::env::var("TEST_LEDGER").is_ok_and(|asked| asked == "long");
    run(if is_long { LONG } else { SHORT }).await
}

/// A node that is killed loses at most the usage of one flush.
pub async fn without_journals_the_ledger_lacks_a_flush() -> String {
    run(UNWRITTEN).await
}

async fn run(plan: LedgerPlan) -> String {
    let mut cluster = TestCluster::start(ClusterSetup {
        appendonly: true,
        config: "\n",
        environment: vec![
            ("T2B_USAGE_FLUSH", duration_text(FLUSH)),
            (
                "T2B_USAGE_JOURNAL",
                duration_text(plan.journal.unwrap_or_default()),
            ),
        ],
        ..ClusterSetup::default()
    })
    .await;
    let seen = Arc::new(SeenUsage::new(plan.tenants, &cluster));
    let mut talkers = JoinSet::new();
    for tenant in 0..plan.tenants {
        talkers.spawn(Arc::clone(&seen).take(tenant));
        talkers.spawn(Arc::clone(&seen).send(tenant));
    }
    until("messages are delivered", async || {
        (seen.answered.load(Ordering::Relaxed) > plan.tenants * 5).then_some(())
    })
    .await;

    let mut kills = Vec::new();
    for number in 0..plan.kills {
        pass_until(Instant::now() + plan.pause).await;
        let node = number % cluster.nodes.len();
        cluster.nodes[node].kill();
        kills.push((node, Instant::now()));
        cluster.nodes[node].restart().await;
        seen.moved(node, &cluster.nodes[node].public);
    }
    for _ in 0..plan.redis_kills {
        pass_until(Instant::now() + plan.pause).await;
        cluster.redis.kill();
        cluster.redis.restart();
    }
    for _ in 0..plan.outages.0 {
        cluster.redis.stop();
        pass_until(Instant::now() + plan.outages.1).await;
        cluster.redis.restart();
        pass_until(Instant::now() + plan.pause).await;
    }
    // A rolling restart.
    for node in 0..cluster.nodes.len() {
        cluster.nodes[node].stop().await;
        cluster.nodes[node].restart().await;
        seen.moved(node, &cluster.nodes[node].public);
        cluster.is_whole().await;
    }
    pass_until(Instant::now() + plan.pause).await;
    seen.is_over.store(true, Ordering::Relaxed);
    while let Some(talked) = talkers.join_next().await {
        talked.unwrap();
    }
    // What ends without being killed books the rest.
    for node in &mut cluster.nodes {
        node.stop().await;
    }
    let reader = &mut cluster.nodes[0];
    reader.restart().await;
    let ledger = read_ledger(reader).await;
    let checked = reader.usage_check().await;
    assert!(checked.contains(" 0 things wrong"), "{checked}");
    let lost = compare(&seen, &ledger, &kills, plan.journal.unwrap_or(FLUSH));
    let messages = seen.answered.load(Ordering::Relaxed);
    format!(
        "{} tenants, {messages} messages answered, {} kills of nodes, {} of redis, {} outages; {lost} messages were answered and are not in the ledger; {checked}",
        plan.tenants, plan.kills, plan.redis_kills, plan.outages.0
    )
}
