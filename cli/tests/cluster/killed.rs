//! `kill -9` of a node with 2,000 bots.
//!
//! Four of five come back to the other nodes by themselves, as the crate `client` would; the fifth
//! never does, and must not stay listed as online.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fixtures::{DEADLINE, MeasuredTimes, until};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::many_bots::{BotGroup, ComeBack, EventKind, GroupBot, name, tenant};
use crate::socket::TestSocket;

pub const TENANTS: usize = 40;
pub const BOTS: usize = 50;
/// Bots of each tenant that come back.
const RETURN: usize = 40;
/// GHO-1: after so long nobody who is healthy lists what a dead node held.
pub const FORGOTTEN: Duration = Duration::from_secs(8);

/// How soon a first message is tried again.
const AGAIN: Duration = Duration::from_millis(20);

pub async fn a_killed_node_leaves_no_ghosts() -> String {
    let mut cluster = TestCluster::start(ClusterSetup::default()).await;
    let come_back = ComeBack {
        bots: RETURN,
        nodes: [1, 2],
    };
    let mut group = BotGroup::gather(&cluster, 0, (TENANTS, BOTS), Some(come_back)).await;
    for node in [1, 2] {
        group.watch_from(&cluster, node, TENANTS).await;
    }
    is_listed(&cluster, &[1, 2], BOTS).await;

    let phones = Arc::new(TenantPhones::connect(&cluster).await);

    let killed = Instant::now();
    cluster.nodes[0].kill();
    let (mut looked_at, mut first) = (0, JoinSet::new());
    group
        .until("all that come back are registered", |story| {
            for told in &story[looked_at..] {
                if let EventKind::Registered { node } = told.what {
                    first.spawn(phones.clone().first_message(told.bot, node, killed));
                }
            }
            looked_at = story.len();
            first.len() >= TENANTS * RETURN
        })
        .await;
    let is_back = |what: &EventKind| matches!(what, EventKind::Registered { .. });
    let back = since(killed, group.first(killed, is_back));
    let first: MeasuredTimes = first.join_all().await.into_iter().collect();

    let is_gone = |bot: &GroupBot| bot.1 >= RETURN;
    let detected = group.seen([1, 2], killed, false, &is_gone).await;
    assert!(detected.max() <= FORGOTTEN, "{detected}");
    is_listed(&cluster, &[1, 2], RETURN).await;
    // A new life of the node finds no ghosts of the old one either.
    cluster.nodes[0].restart().await;
    cluster.is_whole().await;
    is_listed(&cluster, &[0], RETURN).await;
    format!(
        "{} bots: seen offline on the others: {detected}; registered again: {back}; first message: {first}",
        TENANTS * BOTS
    )
}

/// Waits until each of these nodes lists so many bots of every tenant as online, and those that it
/// should.
pub async fn is_listed(cluster: &TestCluster, nodes: &[usize], bots: usize) {
    let mut expected: Vec<String> = (0..bots).map(|bot| name((0, bot))).collect();
    expected.sort();
    for node in nodes {
        for number in 0..TENANTS {
            let mut socket = cluster.socket(*node, &tenant(number), "looker").await;
            until(
                &format!("node {node} lists {bots} bots online"),
                async || (socket.bots_online().await == expected).then_some(()),
            )
            .await;
        }
    }
}

/// How long after `from` each of these was.
pub fn since(from: Instant, at: BTreeMap<GroupBot, Instant>) -> MeasuredTimes {
    at.into_values().map(|at| at - from).collect()
}

/// A socket of every tenant on both nodes that stay.
struct TenantPhones(Vec<[Mutex<TestSocket>; 2]>);

impl TenantPhones {
    async fn connect(cluster: &TestCluster) -> Self {
        let mut phones = Vec::new();
        for number in 0..TENANTS {
            let phone =
                async |node| Mutex::new(cluster.socket(node, &tenant(number), "phone").await);
            phones.push([phone(1).await, phone(2).await]);
        }
        Self(phones)
    }

    /// From another node than the bot's, a message to it, again and again until it is delivered;
    /// how long after `killed` that is.
    async fn first_message(
        self: Arc<Self>,
        bot: GroupBot,
        home: usize,
        killed: Instant,
    ) -> Duration {
        let from = 2 - home;
        let mut tries = interval(AGAIN);
        loop {
            tries.tick().await;
            let mut phone = self.0[bot.0][from].lock().await;
            if phone.say(&name(bot), "are you back?").await == "delivered" {
                return killed.elapsed();
            }
            assert!(killed.elapsed() < DEADLINE, "{bot:?} is not reached");
        }
    }
}
