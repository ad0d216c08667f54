//! How long it takes until every node sees a change of the directory.
//!
//! Each change is a `register_bot` with a description of its own, or an `unregister_bot`. From its
//! answer on, a socket on each node lists the bots until it sees the change: so the times hold
//! one `list_bots` too. (`bot_status` would add up to 100 ms: it is gathered.)

use std::sync::Arc;
use std::time::{Duration, Instant};

use fixtures::MeasuredTimes;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::socket::TestSocket;

const TENANTS: usize = 20;
const BOTS: usize = 5;
/// One change each.
const EVERY: Duration = Duration::from_millis(10);
const CHANGES: usize = 1000;
/// What the design promises for 99 of 100.
const PROMISED: Duration = Duration::from_millis(100);

/// A tenant: on each node a socket that holds bots and one that looks.
struct TenantSockets {
    holders: Vec<Mutex<TestSocket>>,
    lookers: Vec<Mutex<TestSocket>>,
}

/// A bot: its tenant, its name, and the node where it is registered.
struct ChangingBot {
    tenant: usize,
    name: String,
    home: Option<usize>,
    changes: usize,
}

pub async fn every_node_sees_a_change_at_once() -> String {
    let cluster = TestCluster::start(ClusterSetup::default()).await;
    let tenants = Arc::new(tenants(&cluster).await);
    let bots = (0..TENANTS * BOTS).map(|number| ChangingBot {
        tenant: number % TENANTS,
        name: format!("bot-{}", number / TENANTS),
        home: None,
        changes: 0,
    });
    let mut idle: Vec<ChangingBot> = bots.collect();
    let mut ticks = interval(EVERY);
    let mut under_way = JoinSet::new();
    let (mut seen, mut claims) = (MeasuredTimes::default(), MeasuredTimes::default());
    let mut late = 0;
    let began = Instant::now();
    for _ in 0..CHANGES {
        ticks.tick().await;
        while let Some(done) = under_way.try_join_next() {
            idle.push(keep(done.unwrap(), &mut seen, &mut claims));
        }
        if idle.is_empty() {
            late += 1;
            let done = under_way.join_next().await.expect("nobody is idle");
            idle.push(keep(done.unwrap(), &mut seen, &mut claims));
        }
        let bot = idle.swap_remove(fastrand::usize(..idle.len()));
        under_way.spawn(change(tenants.clone(), bot));
    }
    let took = began.elapsed();
    for done in under_way.join_all().await {
        keep(done, &mut seen, &mut claims);
    }
    assert_eq!(seen.len(), CHANGES * cluster.nodes.len());
    assert!(seen.percentile(0.99) <= PROMISED, "{seen}");
    let rate = CHANGES as f64 / took.as_secs_f64();
    format!(
        "{rate:.0} changes/s; from the answer to what another socket of a node lists: {seen}; the change itself: {claims}; {late} times all bots were busy"
    )
}

async fn tenants(cluster: &TestCluster) -> Vec<TenantSockets> {
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        let (mut holders, mut lookers) = (Vec::new(), Vec::new());
        for node in 0..cluster.nodes.len() {
            // A bot of its own keeps the socket when it loses the others.
            let tenant = format!("tenant-{number}");
            let holder = cluster.bot(node, &tenant, &format!("anchor-{node}")).await;
            holders.push(Mutex::new(holder));
            lookers.push(Mutex::new(cluster.socket(node, &tenant, "looker").await));
        }
        tenants.push(TenantSockets { holders, lookers });
    }
    tenants
}

/// What a change gives back: the bot, how long the change took, and how long each node.
type ChangeResult = (ChangingBot, Duration, Vec<Duration>);

fn keep(
    (bot, claim, times): ChangeResult,
    seen: &mut MeasuredTimes,
    claims: &mut MeasuredTimes,
) -> ChangingBot {
    claims.push(claim);
    times.into_iter().for_each(|time| seen.push(time));
    bot
}

/// Registers the bot, moves it, or unregisters it; waits until every node has seen it.
async fn change(tenants: Arc<Vec<TenantSockets>>, mut bot: ChangingBot) -> ChangeResult {
    let tenant = &tenants[bot.tenant];
    let nodes = tenant.holders.len();
    bot.changes += 1;
    let description = format!("change {}", bot.changes);
    let asked = Instant::now();
    let wanted = match bot.home {
        Some(home) if fastrand::u8(..3) == 0 => {
            let mut holder = tenant.holders[home].lock().await;
            let answer = holder
                .ask("unregister_bot", json!({"botId": bot.name}))
                .await;
            assert_eq!(answer["type"], "bot_unregistered", "{answer}");
            bot.home = None;
            None
        }
        home => {
            let elsewhere = (0..nodes).filter(|node| Some(*node) != home);
            let elsewhere: Vec<_> = elsewhere.collect();
            let node = elsewhere[fastrand::usize(..elsewhere.len())];
            let mut holder = tenant.holders[node].lock().await;
            let data = json!({"botId": bot.name, "description": description});
            let answer = holder.ask("register_bot", data).await;
            assert_eq!(answer["type"], "bot_registered", "{answer}");
            bot.home = Some(node);
            Some(description.as_str())
        }
    };
    let answered = Instant::now();
    let looks = tenant
        .lookers
        .iter()
        .map(|looker| look(looker, &bot.name, wanted, answered));
    let times = futures_util::future::join_all(looks).await;
    (bot, answered - asked, times)
}

/// Lists until the bot is there with this description, or is not listed; how long since `from`.
async fn look(
    looker: &Mutex<TestSocket>,
    bot: &str,
    wanted: Option<&str>,
    from: Instant,
) -> Duration {
    loop {
        let mut socket = looker.lock().await;
        let list = socket.ask("list_bots", json!({})).await;
        let bots = list["data"]["bots"].as_array().unwrap();
        let listed = bots.iter().find(|listed| listed["id"] == bot);
        let is_so = match (listed, wanted) {
            (Some(listed), Some(wanted)) => listed["description"] == wanted,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if is_so {
            return from.elapsed();
        }
        assert!(
            from.elapsed() < fixtures::DEADLINE,
            "{bot}: not seen as {wanted:?}"
        );
    }
}
