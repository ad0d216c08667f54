//! Steps and numbers in Redis that no node wrote: they cost little, and nothing stays broken.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fixtures::{pass_until, until};

use crate::cluster::{ClusterSetup, TestCluster};

/// For how long commands are counted.
const WATCHED: Duration = Duration::from_secs(3);
/// More than a node without traffic needs in that time: beats, probes, comparisons, a few reads.
const COMMANDS_MAX: u64 = 300;

pub async fn a_made_up_step_costs_a_few_reads() -> String {
    let cluster = TestCluster::start(ClusterSetup {
        nodes: 1,
        ..ClusterSetup::default()
    })
    .await;
    let mut phone = cluster.socket(0, "alice", "phone").await;
    let reads = async || cluster.nodes[0].metrics().await["t2b_directory_reads_total"];
    let (before, reads_before) = (commands(&cluster), reads().await);
    publish(&cluster, "alice", &format!("1 {}\ns:x\t1", unix_us()));
    pass_until(Instant::now() + WATCHED).await;
    let (spent, read) = (commands(&cluster) - before, reads().await - reads_before);
    assert!(spent <= COMMANDS_MAX, "{spent} commands in {WATCHED:?}");
    assert!((1.0..=5.0).contains(&read), "{read} reads");

    // Again and again, as when two clusters share a channel.
    let before = commands(&cluster);
    let end = Instant::now() + WATCHED;
    let mut published = 0;
    while Instant::now() < end {
        publish(&cluster, "alice", &format!("1 {}\ns:x\t1", unix_us()));
        published += 1;
        pass_until(Instant::now() + Duration::from_millis(5)).await;
    }
    let spent_again = commands(&cluster) - before - published;
    assert!(
        spent_again <= COMMANDS_MAX,
        "{spent_again} commands for {published} steps"
    );
    let metrics = cluster.nodes[0].metrics().await;
    assert!(metrics["t2b_directory_reads_deferred_total"] >= 1.0);
    assert!(cluster.nodes[0].printed().contains("read again and again"));
    phone.register("bot_main").await;
    assert_eq!(phone.say("bot_main", "hello").await, "delivered");
    format!("{spent} commands after one made-up step, {spent_again} after {published}")
}

pub async fn a_number_from_nowhere_is_repaired() -> String {
    let cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        ..ClusterSetup::default()
    })
    .await;
    let mut phone = cluster.socket(0, "alice", "phone").await;
    publish(&cluster, "alice", &format!("0 {}", u64::MAX));
    publish(
        &cluster,
        "alice",
        &format!("0 {}\np\t{} 0", unix_us(), u64::MAX),
    );
    phone.register("bot_main").await;
    is_usable(&cluster, "alice").await;

    // What is stored already.
    let ver = "t2b:{alice}:ver";
    for number in [
        "18446744073709551616",
        "18446744073709551615",
        "9007199254740993",
        "x",
    ] {
        cluster.redis.command(&["SET", ver, number]);
        phone.register(&format!("bot_{number}")).await;
        is_usable(&cluster, "alice").await;
        let now = cluster.redis.command(&["GET", ver]);
        let now: u64 = now.text().parse().unwrap();
        assert!(now < unix_us() + 2 * 24 * 3600 * 1_000_000, "{now}");
    }
    until("each repair is told", async || {
        let metrics = cluster.nodes[0].metrics().await;
        (metrics["t2b_redis_repaired_total"] >= 4.0).then_some(())
    })
    .await;
    assert!(cluster.nodes[0].printed().contains("was no time: repaired"));
    "4 numbers repaired".to_owned()
}

/// Somebody who comes to the other node finds the bot, and writes to it.
async fn is_usable(cluster: &TestCluster, tenant: &str) {
    let mut tablet = cluster.socket(1, tenant, "tablet").await;
    until("a message from the other node arrives", async || {
        let outcome = tablet.say("bot_main", "hello").await;
        (outcome == "delivered").then_some(())
    })
    .await;
}

fn publish(cluster: &TestCluster, tenant: &str, step: &str) {
    let channel = format!("t2b:{{{tenant}}}:events");
    cluster.redis.command(&["PUBLISH", &channel, step]);
}

/// Commands that Redis has executed, those inside scripts left out.
fn commands(cluster: &TestCluster) -> u64 {
    let stats = cluster.redis.command(&["INFO", "stats"]);
    let lines = stats.text().lines();
    let count = lines
        .filter_map(|line| line.strip_prefix("total_commands_processed:"))
        .next();
    count.unwrap().trim().parse().unwrap()
}

fn unix_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_micros()).unwrap()
}
