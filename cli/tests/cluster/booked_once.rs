//! Every record of usage comes to Redis twice, and counts once.
//!
//! In one case proxies make the records come twice. In another one, two gateways find the journal of a third one
//! that was killed, and book it at the same time. The ledger then has what peers counted, and what nodes counted. In the
//! last one a node is killed after a flush, and its journal is from before: it adds nothing to the ledger.

use std::path::Path;
use std::time::{Duration, Instant};

use fixtures::until;
use protocol::UsageCounts;

use crate::booking_proxy::{BookingProxy, ProxyManner};
use crate::cluster::{ClusterSetup, TestCluster};
use crate::counted::{CountedTenant, compare, node_counts};
use crate::gateway::{GatewayNode, NodeEnvironment};
use crate::ledger::read_ledger;

const TENANTS: usize = 8;
/// Records of each tenant on each node, at least.
const RECORDS: usize = 3;
/// After so long without a write, a journal has everything. Many times as long as from one write to the next.
const STILL: Duration = Duration::from_millis(500);
/// How many records a gateway booked.
const BOOKED: &str = "t2b_usage_flush_total{result=\"booked\"}";
/// What a gateway says when it has booked a journal.
const RECOVERED: &str = "usage of a boot that ended without booking it is booked";

pub async fn records_that_come_twice_count_once() -> String {
    let mut cluster = cluster_without_nodes().await;
    let mut proxies = Vec::new();
    for manner in [ProxyManner::ExecuteTwice, ProxyManner::LoseAnswer] {
        let proxy = BookingProxy::start(cluster.redis.port(), manner).await;
        let flush = vec![("T2B_USAGE_FLUSH", "1s".to_owned())];
        let number = cluster.nodes.len();
        let node = cluster.node(number, Some(proxy.url()), flush).await;
        cluster.nodes.push(node);
        proxies.push(proxy);
    }
    cluster.is_whole().await;
    let mut tenants = gather(&cluster, 2).await;
    until("each proxy has many records", async || {
        for tenant in &mut tenants {
            tenant.talk().await;
        }
        let mut counts = proxies.iter().map(|proxy| proxy.records().len());
        counts.all(|count| count >= TENANTS * RECORDS).then_some(())
    })
    .await;
    let (names, peers) = close(tenants);
    for node in &cluster.nodes {
        is_booked(node).await;
    }

    let mut counted = Vec::new();
    for node in &cluster.nodes {
        counted.push(node_counts(node, &names).await);
    }
    let reader = &cluster.nodes[0];
    compare(&read_ledger(reader).await, (&names, &peers), &counted);
    let checked = reader.usage_check().await;
    let (mut records, mut repeats) = (0, 0);
    for (proxy, least_sent) in proxies.iter().zip([1, 2]) {
        for (name, story) in proxy.records() {
            assert_eq!(story.booked, 1, "{name:?}: {story:?}");
            assert!(story.seen >= 1, "{name:?} came once: {story:?}");
            assert!(story.sent >= least_sent, "{name:?}: {story:?}");
            records += 1;
            repeats += story.seen;
        }
    }
    format!("{records} records booked once, {repeats} repeats ignored; {checked}")
}

pub async fn a_journal_that_two_nodes_find_counts_once() -> String {
    let mut cluster = cluster_without_nodes().await;
    let slow = vec![
        ("T2B_USAGE_FLUSH", "5m".to_owned()),
        ("T2B_USAGE_JOURNAL", "10ms".to_owned()),
    ];
    let url = cluster.redis.url();
    let node = cluster.node(0, Some(url.clone()), slow).await;
    cluster.nodes.push(node);
    let mut tenants = gather(&cluster, 1).await;
    for tenant in &mut tenants {
        tenant.talk().await;
    }
    let (names, peers) = close(tenants);
    let killed = &mut cluster.nodes[0];
    until("all sockets are closed", async || {
        (killed.metrics().await["t2b_connections"] == 0.0).then_some(())
    })
    .await;
    let counted = node_counts(killed, &names).await;
    let folder = cluster.state(0).join("usage");
    is_still(&folder).await;
    cluster.nodes[0].kill();

    for number in [1, 2] {
        copy_folder(&folder, &cluster.state(number).join("usage"));
    }
    let find = |number| cluster.node(number, Some(url.clone()), NodeEnvironment::new());
    let (one, other) = tokio::join!(find(1), find(2));
    let records = [recovered(&one).await, recovered(&other).await];
    // Few tenants have a flush that happens to be due before the kill.
    assert!(
        records[0] > TENANTS / 2,
        "the journal has {records:?} records"
    );
    assert_eq!(records[0], records[1], "both find the same records");
    compare(&read_ledger(&one).await, (&names, &peers), &[counted]);
    let checked = one.usage_check().await;
    format!(
        "{} records, each booked by two nodes; {checked}",
        records[0]
    )
}

pub async fn a_journal_from_before_a_flush_adds_nothing() -> String {
    let mut cluster = cluster_without_nodes().await;
    let url = cluster.redis.url();
    // Between two writes of the journal there are some flushes.
    let talking = vec![
        ("T2B_USAGE_FLUSH", "3s".to_owned()),
        ("T2B_USAGE_JOURNAL", "10s".to_owned()),
    ];
    for (number, environment) in [(0, talking), (1, NodeEnvironment::new())] {
        let node = cluster.node(number, Some(url.clone()), environment).await;
        cluster.nodes.push(node);
    }
    cluster.is_whole().await;
    let mut tenants = gather(&cluster, 1).await;
    let folder = cluster.state(0).join("usage");
    let begun = bytes_in(&folder);
    // So each tenant has a record to which more is added when the journal is written.
    until("the journal is written", async || {
        for tenant in &mut tenants {
            tenant.talk().await;
        }
        (bytes_in(&folder) > begun).then_some(())
    })
    .await;
    let written = read_ledger(&cluster.nodes[1]).await;
    let booked = cluster.nodes[0].metrics().await[BOOKED];
    until("each tenant is booked once", async || {
        for tenant in &mut tenants {
            tenant.talk().await;
        }
        let now = cluster.nodes[0].metrics().await[BOOKED];
        (now >= booked + TENANTS as f64).then_some(())
    })
    .await;

    cluster.nodes[0].kill();
    let before = read_ledger(&cluster.nodes[1]).await;
    close(tenants);
    cluster.nodes[0].restart().await;
    let records = recovered(&cluster.nodes[0]).await;
    let after = read_ledger(&cluster.nodes[1]).await;
    // What was not booked since the journal was written is booked now.
    let known = before
        .iter()
        .filter(|(name, booked)| written.get(*name) != Some(booked));
    let known: Vec<&String> = known.map(|(name, _)| name).collect();
    assert!(known.len() > TENANTS / 2, "{known:?} were booked");
    for name in &known {
        assert_eq!(after[*name], before[*name], "{name}");
    }
    let checked = cluster.nodes[1].usage_check().await;
    format!(
        "{records} records of {} tenants that were booked before add nothing; {checked}",
        known.len()
    )
}

async fn cluster_without_nodes() -> TestCluster {
    TestCluster::start(ClusterSetup {
        nodes: 0,
        ..ClusterSetup::default()
    })
    .await
}

/// Tenants with their sockets on all nodes.
async fn gather(cluster: &TestCluster, nodes: usize) -> Vec<CountedTenant> {
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        let name = format!("tenant-{number}");
        let places = (number % nodes, (number + 1) % nodes);
        tenants.push(CountedTenant::connect(cluster, &name, places).await);
    }
    tenants
}

fn close(tenants: Vec<CountedTenant>) -> (Vec<String>, Vec<UsageCounts>) {
    tenants.into_iter().map(CountedTenant::close).unzip()
}

/// Waits until no socket is open and everything is booked.
async fn is_booked(node: &GatewayNode) {
    until("all usage is booked", async || {
        let metrics = node.metrics().await;
        let is_over = metrics["t2b_connections"] == 0.0;
        (is_over && metrics["t2b_usage_unflushed_seconds"] == 0.0).then_some(())
    })
    .await;
}

/// Waits until nothing is written into a folder any more.
async fn is_still(folder: &Path) {
    let (mut length, mut since) = (0, Instant::now());
    until("the journal has everything", async || {
        let now = bytes_in(folder);
        if now != length {
            (length, since) = (now, Instant::now());
        }
        (length > 0 && since.elapsed() > STILL).then_some(())
    })
    .await;
}

/// How long the files of a folder are together.
fn bytes_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    files.map(|file| file.metadata().unwrap().len()).sum()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Waits until a node has booked the journal that it found; how many records it had.
async fn recovered(node: &GatewayNode) -> usize {
    until("the journal is booked", async || {
        let printed = node.printed();
        let line = printed.lines().find(|line| line.contains(RECOVERED))?;
        let (_, records) = line.split_once("records=")?;
        records.split(' ').next()?.parse().ok()
    })
    .await
}
