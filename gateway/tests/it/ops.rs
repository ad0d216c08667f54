//! Probes and metrics.

use std::collections::BTreeSet;

use gateway::metrics::{MetricKind, MetricRow, TABLE};

use crate::harness::Server;
use crate::stalled::fill;

#[tokio::test]
async fn a_draining_node_lives_and_is_not_ready() {
    let server = Server::start().await;
    assert_eq!(server.admin("GET", "/readyz", "").await.status, 200);
    let _tablet = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    fill(&mut phone, "tablet").await;
    server.shutdown.begin();
    phone.expect("migrate").await;
    let ready = server.admin("GET", "/readyz", "").await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "draining\n"));
    assert_eq!(server.admin("GET", "/healthz", "").await.status, 200);
    assert_eq!(server.metric("t2b_draining").await, 1.0);
}

#[tokio::test]
async fn the_metrics_are_those_of_the_table_and_well_formed() {
    let server = Server::start().await;
    let mut phone = server.client("alice", "phone").await;
    let _bot = server.bot("alice", "bot_a").await;
    phone.tell("bot_a", "hi").await;
    let answer = server.admin("GET", "/metrics", "").await;
    assert!(
        answer
            .head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        answer.head
    );
    let mut series = BTreeSet::new();
    let mut names = BTreeSet::new();
    for line in answer
        .body
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (labelled, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0 && series.insert(labelled), "{line}");
        let (name, labels) = labelled.split_once('{').unwrap_or((labelled, ""));
        let row = row_of(name).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(
            row.kind == MetricKind::Counter,
            name.ends_with("_total"),
            "{line}"
        );
        let labels = labels
            .split("\",")
            .filter_map(|label| label.split_once('='));
        let labels = labels.map(|(label, _)| label);
        let labels: Vec<&str> = labels.filter(|label| *label != "le").collect();
        assert_eq!(row.labels, labels, "{line}");
        names.insert(row.name);
    }
    let rows = TABLE.iter().filter(|row| row.needs.is_none());
    assert_eq!(names, rows.map(|row| row.name).collect());
    for Row(name, least) in [
        Row("t2b_connections", 2.0),
        Row("t2b_tenants", 1.0),
        Row("t2b_bots_online", 1.0),
        Row("t2b_authenticated_total", 2.0),
        Row("t2b_messages_delivered_total", 1.0),
        Row("t2b_frames_received_total", 2.0),
        Row("t2b_connect_seconds_count", 2.0),
        Row(r#"t2b_handshakes_total{result="upgraded"}"#, 2.0),
    ] {
        assert_eq!(server.metric(name).await, least, "{name}");
    }
    for name in [
        "process_resident_memory_bytes",
        "process_open_fds",
        "t2b_sockets_max",
        "t2b_outbound_bytes_max",
    ] {
        assert!(server.metric(name).await > 0.0, "{name}");
    }
    for secret in ["alice", "bot_a", "phone", &server.key("alice")] {
        assert!(!answer.body.contains(secret), "no id may be a label");
    }
}

/// The row that a series belongs to; those of a histogram have endings of their own.
fn row_of(series: &str) -> Option<&'static MetricRow> {
    TABLE.iter().find(|row| match row.kind {
        MetricKind::Counter | MetricKind::Gauge => row.name == series,
        MetricKind::Histogram => series
            .strip_prefix(row.name)
            .is_some_and(|ending| ["_bucket", "_sum", "_count"].contains(&ending)),
    })
}

struct Row(&'static str, f64);

#[tokio::test]
async fn metrics_are_compressed_if_the_request_accepts_it() {
    let server = Server::start().await;
    let plain = server.admin("GET", "/metrics", "").await;
    assert!(!plain.head.contains("content-encoding"), "{}", plain.head);
    let accepts = "accept-encoding: gzip\r\n";
    let gzip = server.admin("GET", "/metrics", accepts).await;
    assert_eq!(gzip.status, 200);
    assert!(
        gzip.head.contains("content-encoding: gzip"),
        "{}",
        gzip.head
    );
    assert!(gzip.body.len() < plain.body.len() / 2);
    let none = "accept-encoding: identity;q=0\r\n";
    let none = server.admin("GET", "/metrics", none).await;
    assert_eq!(none.status, 200, "a scrape never fails for its encodings");
    let probe = server.admin("GET", "/readyz", accepts).await;
    assert_eq!(probe.body, "ready\n");
}
