//! A message that crosses nodes is one trace, and traces cost nobody a message.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::collector::{TraceCollector, text_of};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const SAMPLE: &str = "T2B_TRACE_SAMPLE";
const MESSAGES: usize = 20;
/// A port that nobody listens on: it is reserved.
const NOBODY: &str = "http://127.0.0.1:1";

/// Both halves of each message reach the collector, the last ones when the nodes end.
pub async fn a_message_is_one_trace() -> String {
    let collector = TraceCollector::start().await;
    let spans_of = async |sample| {
        let already = collector.spans().len();
        send_all(sample, collector.endpoint.clone()).await;
        let spans = collector.spans().split_off(already).into_iter();
        let own = spans.map(|(service, span)| {
            assert_eq!(service, "tunnels");
            span
        });
        own.collect::<Vec<_>>()
    };
    let spans = spans_of("1").await;
    let named = |name: &str| -> Vec<Span> {
        let named = spans.iter().filter(|span| span.name == name);
        let frames = named.filter(|span| text_of(&span.attributes, "t2b.frame") == "message");
        frames.cloned().collect()
    };
    let (sends, deliveries) = (named("send"), named("deliver"));
    assert_eq!((sends.len(), deliveries.len()), (MESSAGES, MESSAGES));
    let traces: BTreeSet<&[u8]> = sends.iter().map(|span| &*span.trace_id).collect();
    assert_eq!(traces.len(), MESSAGES, "a trace each");
    for delivery in &deliveries {
        let mut parents = sends.iter();
        let parent = parents.find(|send| send.span_id == delivery.parent_span_id);
        let parent = parent.expect("it was sent in the same trace");
        assert_eq!(parent.trace_id, delivery.trace_id);
        for (span, operation, kind) in [(parent, "send", "send"), (delivery, "deliver", "process")]
        {
            for (name, value) in [
                ("messaging.system", "t2b"),
                ("messaging.operation.name", operation),
                ("messaging.operation.type", kind),
                ("t2b.tenant", "alice"),
            ] {
                assert_eq!(text_of(&span.attributes, name), value, "{name}");
            }
            let mut names = span
                .attributes
                .iter()
                .map(|attribute| attribute.key.as_str());
            assert!(names.any(|name| name == "messaging.message.body.size"));
        }
        assert_ne!(
            text_of(&parent.attributes, "t2b.node"),
            text_of(&delivery.attributes, "t2b.node")
        );
    }
    assert_eq!(spans_of("0").await, [], "none is wanted");
    format!("{} spans of {MESSAGES} messages", spans.len())
}

/// Messages flow, and the nodes end, although nobody takes the traces.
pub async fn a_collector_that_is_gone_hurts_nobody() -> String {
    let ended = send_all("1", NOBODY.to_owned()).await;
    let (ended, logs) = ended;
    assert!(
        logs.contains("BatchSpanProcessor"),
        "its operator is told: {logs}"
    );
    format!("ended after {} ms", ended.as_millis())
}

/// Sends messages from one node to another, then stops both. Says how long stopping took, and what
/// they printed last.
async fn send_all(sample: &str, endpoint: String) -> (Duration, String) {
    let setup = ClusterSetup {
        nodes: 2,
        environment: vec![
            (ENDPOINT, endpoint),
            (SAMPLE, sample.to_owned()),
            ("OTEL_SERVICE_NAME", "tunnels".to_owned()),
        ],
        ..ClusterSetup::default()
    };
    let mut cluster = TestCluster::start(setup).await;
    let mut bot = cluster.bot(1, "alice", "bot_main").await;
    let mut phone = cluster.socket(0, "alice", "phone").await;
    cluster.bots_online("alice", &["bot_main"]).await;
    for number in 0..MESSAGES {
        let text = format!("message {number}");
        assert_eq!(phone.say("bot_main", &text).await, "delivered");
        assert_eq!(bot.expect("message").await["data"]["text"], text.as_str());
    }
    drop((bot, phone));
    let began = Instant::now();
    for node in &mut cluster.nodes {
        node.stop().await;
    }
    let ended = began.elapsed();
    let tails = cluster.nodes.iter().map(|node| node.last_lines(20));
    (ended, tails.collect())
}
