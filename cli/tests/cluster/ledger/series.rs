//! `/metrics/tenants` of all nodes beside the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fixtures::until;
use protocol::UsageMeter;
use protocol::units::duration_text;
use serde_json::json;
use tokio::task::JoinSet;

use super::FLUSH;
use super::compare::read_ledger;
use super::seen::{SeenUsage, name};
use crate::cluster::{ClusterSetup, TestCluster};
use crate::gateway::GatewayNode;

const TENANTS: usize = 12;
/// Tenants that have series of their own on a node; the others share `_other`.
const OWN_SERIES: usize = 5;

/// Which series count which meter.
const SERIES: &[(&str, UsageMeter)] = &[
    (
        "messages_total outcome accepted",
        UsageMeter::MessagesAccepted,
    ),
    (
        "messages_total outcome duplicate",
        UsageMeter::MessagesDuplicate,
    ),
    (
        "messages_total outcome refused_client",
        UsageMeter::MessagesRefusedClient,
    ),
    (
        "messages_total outcome refused_limit",
        UsageMeter::MessagesRefusedLimit,
    ),
    (
        "messages_total outcome refused_recipient",
        UsageMeter::MessagesRefusedRecipient,
    ),
    (
        "messages_total outcome refused_platform",
        UsageMeter::MessagesRefusedPlatform,
    ),
    (
        "deliveries_total kind message",
        UsageMeter::MessagesDelivered,
    ),
    (
        "deliveries_total kind partial",
        UsageMeter::PartialsDelivered,
    ),
    ("bytes_total direction in", UsageMeter::BytesIn),
    ("bytes_total direction out", UsageMeter::BytesOut),
    (
        "connection_seconds_total kind bot",
        UsageMeter::ConnectionSecondsBot,
    ),
    (
        "connection_seconds_total kind client",
        UsageMeter::ConnectionSecondsClient,
    ),
    ("http_requests_total", UsageMeter::HttpRequests),
];

pub async fn series_of_all_nodes_add_up_to_the_ledger() -> String {
    let cluster = TestCluster::start(ClusterSetup {
        environment: vec![
            ("T2B_USAGE_FLUSH", duration_text(FLUSH)),
            ("T2B_TENANT_SERIES_MAX", OWN_SERIES.to_string()),
        ],
        ..ClusterSetup::default()
    })
    .await;
    let seen = Arc::new(SeenUsage::new(TENANTS, &cluster));
    let mut talkers = JoinSet::new();
    for tenant in 0..TENANTS {
        talkers.spawn(Arc::clone(&seen).take(tenant));
        talkers.spawn(Arc::clone(&seen).send(tenant));
    }
    until("messages are delivered", async || {
        (seen.answered.load(Ordering::Relaxed) > TENANTS * 50).then_some(())
    })
    .await;
    use_other_meters(&cluster).await;
    seen.is_over.store(true, Ordering::Relaxed);
    while let Some(talked) = talkers.join_next().await {
        talked.unwrap();
    }
    // No socket is open any more, so nothing is counted but what is not booked yet.
    let reader = &cluster.nodes[0];
    until("the ledger has what all nodes counted", async || {
        let (ledger, counted) = (totals(reader).await, counted(&cluster.nodes).await);
        (ledger == counted).then_some(())
    })
    .await;
    let ledger = totals(reader).await;
    let used = SERIES.iter().filter(|(_, meter)| ledger[meter] > 0).count();
    assert!(used >= 9, "{ledger:?}");
    let own = own_series(&cluster.nodes).await;
    assert!(own.iter().all(|own| *own == OWN_SERIES), "{own:?}");
    format!(
        "{} nodes, {TENANTS} tenants, {used} meters used: {ledger:?}",
        cluster.nodes.len()
    )
}

/// Partials, requests over HTTP, a duplicate, and a message to nobody.
async fn use_other_meters(cluster: &TestCluster) {
    for tenant in 0..TENANTS {
        let key = cluster.key(&name(tenant));
        let node = &cluster.nodes[tenant % cluster.nodes.len()];
        let body = json!({"to": "nobody", "text": "hello"});
        node.post("/v1/messages", &key, &body)
            .await
            .expect("an answer");
        let body = json!({"to": "bot", "text": "twice", "messageId": "twice"});
        for _ in 0..2 {
            node.post("/v1/messages", &key, &body)
                .await
                .expect("an answer");
        }
    }
}

/// What the ledger has of each meter.
async fn totals(reader: &GatewayNode) -> BTreeMap<UsageMeter, u64> {
    let ledger = read_ledger(reader).await;
    let sum = |meter| {
        ledger
            .values()
            .filter_map(|tenant| tenant.get(&meter))
            .sum()
    };
    SERIES
        .iter()
        .map(|(_, meter)| (*meter, sum(*meter)))
        .collect()
}

/// What the series of all nodes say, in the units of the ledger.
async fn counted(nodes: &[GatewayNode]) -> BTreeMap<UsageMeter, u64> {
    let mut counted = BTreeMap::new();
    for node in nodes {
        let (_, page) = node.get("/metrics/tenants").await.expect("an answer");
        for (series, meter) in SERIES {
            let values = page.lines().filter_map(|line| value_of(line, series));
            let unit = if meter.unit() == "seconds" {
                1000.0
            } else {
                1.0
            };
            let amount = (values.sum::<f64>() * unit).round() as u64;
            *counted.entry(*meter).or_default() += amount;
        }
    }
    counted
}

/// The value of a line, if it is one of these series: `<name> [<label> <value>]`.
fn value_of(line: &str, series: &str) -> Option<f64> {
    let mut words = series.split(' ');
    let name = format!("t2b_tenant_{}{{", words.next()?);
    let label = words.next().zip(words.next());
    let label = label.map(|(label, value)| format!(",{label}=\"{value}\"}}"));
    let (name_and_labels, value) = line.rsplit_once(' ')?;
    let is_it = name_and_labels.starts_with(&name)
        && label.is_none_or(|label| name_and_labels.ends_with(&label));
    is_it.then(|| value.parse().unwrap())
}

/// How many tenants have series of their own, by node.
async fn own_series(nodes: &[GatewayNode]) -> Vec<usize> {
    let mut own = Vec::new();
    for node in nodes {
        let (_, page) = node.get("/metrics/tenants").await.expect("an answer");
        let tenants = page
            .matches("t2b_tenant_http_requests_total{tenant=")
            .count();
        own.push(
            tenants
                - page
                    .matches("t2b_tenant_http_requests_total{tenant=\"_other\"")
                    .count(),
        );
    }
    own
}
