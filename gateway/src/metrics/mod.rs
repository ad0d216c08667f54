//! The one table of metrics, and the handles that count.
//!
//! Nothing is counted anywhere else: `perform`, `ws` and `http` hold a [`Metrics`]. Every series exists
//! from the start, with zero. A node has a recorder of its own, so that two nodes in one process
//! (a test, the demo) do not share theirs.

mod buckets;
mod cluster;
mod facts;
mod handles;
mod latency;
mod moves;
mod peers;
mod process;
mod reloads;
mod saturation;
mod table;
mod text;
mod traffic;
mod usage;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ::metrics::{Counter, Gauge};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use protocol::{CloseCode, ErrorCode};

use cluster::ClusterMetrics;

use facts::TlsExpiries;
pub(crate) use facts::{COMMIT_UNKNOWN, ScrapeFacts};
use handles::{MetricHandles, increment};
pub(crate) use latency::{LatencyMetrics, MessagePath, OTHER_ROUTE};
pub(crate) use moves::{MoveMetrics, MoveOutcome};
pub(crate) use reloads::{ReloadMetrics, ReloadResult};
pub(crate) use saturation::RuntimeBusy;
use saturation::SaturationMetrics;
pub use table::{MetricKind, MetricRow, TABLE};
pub(crate) use traffic::TrafficMetrics;
use usage::UsageMetrics;

/// How a connection attempt ended before it was a WebSocket.
pub(crate) const HANDSHAKES: [&str; 9] = [
    "upgraded", "400", "403", "404", "421", "426", "429", "503", "failed",
];

/// Why a credential was refused.
const AUTH_FAILURES: [&str; 5] = ["invalid", "expired", "revoked", "suspended", "throttled"];

const STATUS_CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];

/// The handles of a node.
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    commit: OnceLock<&'static str>,
    tls_expiries: Mutex<TlsExpiries>,
    pub(crate) latency: LatencyMetrics,
    pub(crate) saturation: SaturationMetrics,
    pub(crate) connections: Gauge,
    pub(crate) tenants: Gauge,
    pub(crate) bots_online: Gauge,
    pub(crate) draining: Gauge,
    pub(crate) moves: MoveMetrics,
    pub(crate) reloads: ReloadMetrics,
    pub(crate) store_bytes: Gauge,
    pub(crate) outbound_bytes: Gauge,
    pub(crate) outbound_kernel_bytes: Gauge,
    pub(crate) memory_max_bytes: Gauge,
    pub(crate) shed_outbound: Counter,
    pub(crate) shed_assembly: Counter,
    pub(crate) assembly_bytes: Gauge,
    pub(crate) authenticated: Counter,
    pub(crate) displaced: Counter,
    auth_failures: Vec<(&'static str, Counter)>,
    pub(crate) auth_old_secret: Counter,
    /// Sockets that the first secret verified, and those that another did.
    pub(crate) by_secret: [Gauge; 2],
    /// What sockets count the bytes with that they write.
    pub(crate) sent_bytes: Arc<Counter>,
    frames: Counter,
    received_bytes: Counter,
    delivered: Counter,
    delivered_bytes: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) best_effort_dropped: Counter,
    pub(crate) takeovers: Counter,
    pub(crate) controls_ignored: Counter,
    pub(crate) store_full: Counter,
    pub(crate) clock_steps: Counter,
    pub(crate) clock_skew: Gauge,
    pub(crate) log_lines_dropped: Counter,
    pub(crate) closed_by_peer: Counter,
    pub(crate) lost: Counter,
    pub(crate) cluster: ClusterMetrics,
    pub(crate) usage: UsageMetrics,
    handshakes: Vec<(&'static str, Counter)>,
    pub(crate) http_waits: Gauge,
    http_requests: Vec<(String, [(&'static str, Counter); 3])>,
    refusals: Vec<(ErrorCode, Counter)>,
    closes: Vec<(CloseCode, Counter)>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// A recorder with every series of the table at zero. `routes`: the paths of the HTTP API.
    pub(crate) fn new(routes: Vec<String>) -> Self {
        let recorder = recorder_of_the_table();
        let make = MetricHandles(&recorder);
        make.describe();
        let failure = |reason: &'static str| {
            (
                reason,
                make.counter("t2b_auth_failures_total", Some(reason.into())),
            )
        };
        let close = |code: String| make.counter("t2b_closes_total", Some(code.into()));
        let refusal = |code: &ErrorCode| {
            (
                *code,
                make.counter("t2b_refusals_total", Some(code.reason().into())),
            )
        };
        let handshake = |result: &'static str| {
            (
                result,
                make.counter("t2b_handshakes_total", Some(result.into())),
            )
        };
        let latency = LatencyMetrics::new(&make, &routes);
        let routes = routes.into_iter().chain([OTHER_ROUTE.to_owned()]);
        let http_requests = routes.map(|route| {
            let classes = STATUS_CLASSES.map(|class| {
                let values = [route.clone().into(), class.into()];
                (class, make.counter("t2b_http_requests_total", values))
            });
            (route, classes)
        });
        Self {
            commit: OnceLock::new(),
            tls_expiries: Mutex::default(),
            latency,
            saturation: SaturationMetrics::new(&make),
            sent_bytes: Arc::new(make.counter("t2b_sent_bytes_total", None)),
            cluster: ClusterMetrics::new(&make),
            usage: UsageMetrics::new(&make),
            http_waits: make.gauge("t2b_http_waits", None),
            http_requests: http_requests.collect(),
            connections: make.gauge("t2b_connections", None),
            tenants: make.gauge("t2b_tenants", None),
            bots_online: make.gauge("t2b_bots_online", None),
            draining: make.gauge("t2b_draining", None),
            moves: MoveMetrics::new(&make),
            reloads: ReloadMetrics::new(&make),
            store_bytes: make.gauge("t2b_store_bytes", None),
            outbound_bytes: make.gauge("t2b_outbound_bytes", None),
            outbound_kernel_bytes: make.gauge("t2b_outbound_kernel_bytes", None),
            memory_max_bytes: make.gauge("t2b_memory_max_bytes", None),
            shed_outbound: make.counter("t2b_shed_total", Some("outbound".into())),
            shed_assembly: make.counter("t2b_shed_total", Some("assembly".into())),
            assembly_bytes: make.gauge("t2b_assembly_bytes", None),
            authenticated: make.counter("t2b_authenticated_total", None),
            displaced: make.counter("t2b_unauthenticated_displaced_total", None),
            auth_failures: AUTH_FAILURES.map(failure).into(),
            auth_old_secret: make.counter("t2b_auth_old_secret_total", None),
            by_secret: ["first", "other"]
                .map(|secret| make.gauge("t2b_connections_by_secret", Some(secret.into()))),
            frames: make.counter("t2b_frames_received_total", None),
            received_bytes: make.counter("t2b_received_bytes_total", None),
            delivered: make.counter("t2b_messages_delivered_total", None),
            delivered_bytes: make.counter("t2b_delivered_bytes_total", None),
            duplicates: make.counter("t2b_messages_duplicate_total", None),
            best_effort_dropped: make.counter("t2b_best_effort_dropped_total", None),
            takeovers: make.counter("t2b_takeovers_total", None),
            controls_ignored: make.counter("t2b_control_frames_ignored_total", None),
            store_full: make.counter("t2b_store_full_total", None),
            clock_steps: make.counter("t2b_clock_steps_total", None),
            clock_skew: make.gauge("t2b_clock_skew_seconds", None),
            log_lines_dropped: make.counter("t2b_log_lines_dropped_total", None),
            closed_by_peer: close("peer".to_owned()),
            lost: close("lost".to_owned()),
            handshakes: HANDSHAKES.map(handshake).into(),
            refusals: ErrorCode::ALL.iter().map(refusal).collect(),
            closes: CloseCode::ALL
                .iter()
                .map(|code| (*code, close(code.code().to_string())))
                .collect(),
            handle: recorder.handle(),
        }
    }

    /// The text that Prometheus scrapes.
    pub(crate) fn render(&self, facts: &ScrapeFacts<'_>) -> String {
        let mut text = self.handle.render();
        let commit = self.commit.get().copied().unwrap_or(COMMIT_UNKNOWN);
        facts::render(facts, commit, &self.expiries(), &mut text);
        peers::render(facts.nodes, facts.lanes, &mut text);
        process::render(&mut text);
        text
    }

    /// Says what commit the process was built from. The first call counts.
    pub(crate) fn set_build(&self, commit: &'static str) {
        let _ = self.commit.set(commit);
    }

    /// Says when the certificate of a listener expires, Unix seconds; none: it cannot be read, or there is no
    /// TLS.
    pub(crate) fn set_tls_expiry(&self, listener: &'static str, expiry_s: Option<i64>) {
        let mut expiries = self.expiries();
        match expiry_s {
            Some(expiry_s) => expiries.insert(listener, expiry_s),
            None => expiries.remove(listener),
        };
    }

    fn expiries(&self) -> MutexGuard<'_, TlsExpiries> {
        self.tls_expiries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds up what the histograms have measured, which would take more and more memory while nobody
    /// scrapes.
    pub(crate) fn gather(&self) {
        self.handle.run_upkeep();
    }

    pub(crate) fn refused(&self, code: ErrorCode) {
        increment(&self.refusals, &code);
    }

    /// `reason`: one of [`AUTH_FAILURES`].
    pub(crate) fn auth_failed(&self, reason: &'static str) {
        increment(&self.auth_failures, &reason);
    }

    pub(crate) fn closed(&self, code: CloseCode) {
        increment(&self.closes, &code);
    }

    /// `route`: the path of one, or [`OTHER_ROUTE`].
    pub(crate) fn http_request(&self, route: &str, status: u16) {
        let class = match status {
            ..400 => "2xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        if let Some((_, classes)) = self.http_requests.iter().find(|(own, _)| own == route) {
            increment(classes, &class);
        }
    }

    /// `result`: one of [`HANDSHAKES`]; any other counts as `failed`.
    pub(crate) fn handshake(&self, result: &str) {
        let known = self.handshakes.iter().find(|(name, _)| *name == result);
        if let Some((_, counter)) = known.or(self.handshakes.last()) {
            counter.increment(1);
        }
    }
}

/// A recorder that knows the buckets of every histogram.
fn recorder_of_the_table() -> PrometheusRecorder {
    let histograms = TABLE.iter().filter(|row| !row.buckets.is_empty());
    let builder = histograms.fold(PrometheusBuilder::new(), |builder, row| {
        let name = Matcher::Full(row.name.to_owned());
        let builder = builder.set_buckets_for_metric(name, row.buckets);
        builder.expect("no histogram of the table is without buckets")
    });
    builder.build_recorder()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use router_core::NodeView;

    use super::*;

    fn alone() -> NodeView {
        NodeView::alone(protocol::BootId::from_bits(1))
    }

    fn render(metrics: &Metrics, redis_connected: Option<bool>) -> String {
        metrics.render(&ScrapeFacts {
            nodes: &alone(),
            lanes: &[],
            redis_connected,
        })
    }

    #[test]
    fn every_row_of_the_table_is_there_from_the_start() {
        let metrics = Metrics::new(Vec::new());
        metrics.set_build("0123456789ab");
        metrics.set_tls_expiry("public", Some(1_900_000_000));
        let text = render(&metrics, Some(true));
        for row in TABLE {
            let endings: &[&str] = match row.kind {
                MetricKind::Counter | MetricKind::Gauge => &[""],
                MetricKind::Histogram => &["_bucket", "_sum", "_count"],
            };
            for ending in endings {
                let name = format!("{}{ending}", row.name);
                let has_series = text.lines().any(|line| {
                    let rest = line.strip_prefix(&name);
                    rest.is_some_and(|rest| rest.starts_with([' ', '{']))
                });
                assert!(has_series, "{name} has no series");
            }
            let kind = format!("# TYPE {} {}\n", row.name, row.kind.word());
            assert!(text.contains(&kind), "{kind} is missing");
            let is_histogram = row.kind == MetricKind::Histogram;
            assert_eq!(is_histogram, !row.buckets.is_empty(), "{}", row.name);
            assert!(
                text.contains(&format!("# HELP {} ", row.name)),
                "{} has no help",
                row.name
            );
        }
    }

    #[test]
    fn every_label_value_has_its_own_series() {
        let metrics = Metrics::new(Vec::new());
        metrics.refused(ErrorCode::BotNotFound);
        metrics.closed(CloseCode::Replaced);
        metrics.handshake("421");
        metrics.handshake("418");
        let text = render(&metrics, None);
        for line in [
            r#"t2b_refusals_total{reason="bot_not_found"} 1"#,
            r#"t2b_refusals_total{reason="internal"} 0"#,
            r#"t2b_closes_total{code="4409"} 1"#,
            r#"t2b_handshakes_total{result="421"} 1"#,
            r#"t2b_handshakes_total{result="failed"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing");
        }
    }

    #[test]
    fn a_node_without_redis_and_tls_has_no_series_of_them() {
        let text = render(&Metrics::new(Vec::new()), None);
        for row in TABLE.iter().filter(|row| row.needs.is_some()) {
            assert!(!text.contains(row.name), "{}", row.name);
        }
        assert!(text.contains(r#"commit="unknown""#));
        let text = render(&Metrics::new(Vec::new()), Some(false));
        assert!(text.contains("t2b_redis_connected 0\n"));
    }

    #[test]
    fn a_histogram_counts_what_is_at_most_each_bound() {
        let metrics = Metrics::new(Vec::new());
        for ms in [1, 50, 51, 800] {
            let took = Duration::from_millis(ms);
            metrics.latency.message(MessagePath::Local, took);
        }
        metrics.gather();
        let text = render(&metrics, None);
        for (bound, count) in [("0.05", 2), ("0.15", 3), ("0.5", 3), ("1", 4), ("+Inf", 4)] {
            let line = format!("{{path=\"local\",le=\"{bound}\"}} {count}\n");
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        assert!(text.contains("t2b_message_seconds_count{path=\"remote\"} 0\n"));
        assert!(text.contains("t2b_message_seconds_sum{path=\"local\"} 0.902\n"));
    }

    /// The thresholds of docs/slo.md must be bounds, else nobody can count what is below them.
    #[test]
    fn the_thresholds_of_the_objectives_are_bounds() {
        let row = table::row("t2b_message_seconds").unwrap();
        for threshold in [0.05, 0.15] {
            assert!(row.buckets.contains(&threshold), "{threshold}");
        }
    }
}
