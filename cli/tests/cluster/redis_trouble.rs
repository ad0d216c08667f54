//! What may happen to Redis: its data lost, its subscribers cut, hanging, started anew and empty.
//!
//! All the time one bot a node is spoken to from every other node, and nobody who watches is told
//! of any change: no bot went anywhere.

use std::time::{Duration, Instant};

use fixtures::{DEADLINE, RespClient, pass_until, until, until_within};
use tokio::task::spawn_blocking;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::flow::{MessageFlow, SilentSocket};

const TENANT: &str = "alice";
/// In so long everything has to be as before.
const HEALED: Duration = Duration::from_secs(5);
/// How long nobody may be told of a change: entries are kept 6 s after data was lost.
const QUIET: Duration = Duration::from_secs(8);

pub async fn troubles_heal_unseen() -> String {
    let mut cluster = TestCluster::start(ClusterSetup::default()).await;
    let mut bots = Vec::new();
    for node in 0..3 {
        let socket = cluster.bot(node, TENANT, &bot(node)).await;
        bots.push(SilentSocket::start(socket));
    }
    cluster
        .bots_online(TENANT, &["bot-0", "bot-1", "bot-2"])
        .await;
    let mut flows = Vec::new();
    for from in 0..3 {
        for to in (0..3).filter(|to| *to != from) {
            let name = format!("{from} to {to}");
            let socket = cluster
                .socket(from, TENANT, &format!("phone-{from}-{to}"))
                .await;
            flows.push(MessageFlow::start(name, socket, bot(to)));
        }
    }
    let mut figures = Vec::new();
    let start = Instant::now();
    healed(&flows, start).await;
    pass_until(start + Duration::from_secs(1)).await;

    let quiet_from = Instant::now();
    let back = order(&cluster, &["FLUSHALL"]).await;
    figures.push(format!(
        "FLUSHALL: {}",
        is_well(&cluster, &flows, back).await
    ));

    let back = order(&cluster, &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    let well = is_well(&cluster, &flows, back).await;
    figures.push(format!("CLIENT KILL TYPE pubsub: {well}"));

    let back = order(&cluster, &["DEBUG", "SLEEP", "3"]).await;
    figures.push(format!(
        "DEBUG SLEEP 3: {}",
        is_well(&cluster, &flows, back).await
    ));

    cluster.redis.stop();
    pass_until(Instant::now() + Duration::from_secs(1)).await;
    cluster.redis.restart_empty();
    let back = Instant::now();
    figures.push(format!(
        "empty after 1 s away: {}",
        is_well(&cluster, &flows, back).await
    ));

    for flow in &flows {
        flow.is_sound();
        let told = flow.unasked_since(quiet_from);
        assert_eq!(told, Vec::<String>::new(), "{}", flow.name);
    }
    bots.iter().for_each(SilentSocket::is_sound);
    format!(
        "messages flow and the store is whole again after: {}",
        figures.join("; ")
    )
}

fn bot(node: usize) -> String {
    format!("bot-{node}")
}

/// One command, however long it takes; when it was done.
async fn order(cluster: &TestCluster, command: &'static [&str]) -> Instant {
    let port = cluster.redis.port();
    let done = spawn_blocking(move || RespClient::connect(port).unwrap().command(command).unwrap());
    done.await.unwrap();
    Instant::now()
}

/// Waits until all is as before, and for as long again as a change could take to be told.
async fn is_well(cluster: &TestCluster, flows: &[MessageFlow], back: Instant) -> String {
    let flowing = healed(flows, back).await;
    let stored = is_stored(cluster, back).await;
    assert!(flowing <= HEALED, "messages flow again after {flowing:?}");
    assert!(
        stored <= HEALED,
        "the store is whole again after {stored:?}"
    );
    pass_until(back + QUIET).await;
    format!("{} ms, {} ms", flowing.as_millis(), stored.as_millis())
}

/// How long until on every way a message that was sent after `back` is delivered.
async fn healed(flows: &[MessageFlow], back: Instant) -> Duration {
    let mut last = back;
    for flow in flows {
        let what = format!("messages flow from {}", flow.name);
        let at = until(&what, async || flow.delivered_since(back)).await;
        last = last.max(at);
    }
    last - back
}

/// How long until the store names every node and every bot's home.
async fn is_stored(cluster: &TestCluster, back: Instant) -> Duration {
    let mut client = cluster.redis.client();
    until_within(DEADLINE, "the store is whole again", async || {
        let mut fields = |key: &str| client.command(&["HKEYS", key]).unwrap();
        let nodes = fields("t2b:nodes");
        // One field a node, and the generation.
        let whole = nodes.members().len() == 4;
        let directory = fields(&format!("t2b:{{{TENANT}}}:dir"));
        let has = |node| {
            let field = format!("b:{}", bot(node));
            directory.members().iter().any(|key| key.text() == field)
        };
        (whole && (0..3).all(has)).then(|| back.elapsed())
    })
    .await
}
