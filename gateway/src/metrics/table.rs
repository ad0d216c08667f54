//! The one table of metrics: name, kind, labels, help.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct MetricRow {
    /// `t2b_<noun>_<unit>[_total]`; those of the process have Prometheus's own names.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// Its labels; each a small closed set, never an id.
    pub labels: &'static [&'static str],
    /// What it counts, and in which unit.
    pub help: &'static str,
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricRow {
    MetricRow {
        name,
        kind: MetricKind::Counter,
        labels,
        help,
    }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricRow {
    MetricRow {
        name,
        kind: MetricKind::Gauge,
        labels,
        help,
    }
}

/// Every metric of the product.
pub const TABLE: &[MetricRow] = &[
    gauge(
        "t2b_build_info",
        &["version"],
        "Always 1; the label says which build runs.",
    ),
    gauge(
        "t2b_connections",
        &[],
        "WebSocket connections that are open.",
    ),
    gauge("t2b_tenants", &[], "Tenants in this node's memory."),
    gauge("t2b_bots_online", &[], "Bots whose home is this node."),
    gauge("t2b_draining", &[], "1 while this node is shutting down."),
    gauge(
        "t2b_store_bytes",
        &[],
        "Bytes that the memory store holds, as it estimates them.",
    ),
    gauge(
        "t2b_outbound_bytes",
        &[],
        "Bytes that wait until the peers read them, of all sockets, in queues and in the kernel.",
    ),
    gauge(
        "t2b_outbound_kernel_bytes",
        &[],
        "The part of `t2b_outbound_bytes` that the kernel holds, as last measured.",
    ),
    gauge("t2b_memory_max_bytes", &[], "The effective `memory_max`."),
    counter(
        "t2b_shed_total",
        &["pool"],
        "Connections closed because memory ran short: outbound, assembly.",
    ),
    gauge(
        "t2b_assembly_bytes",
        &[],
        "Bytes of partially received messages.",
    ),
    counter(
        "t2b_handshakes_total",
        &["result"],
        "Handshakes by their result: `upgraded`, or the HTTP status of the refusal.",
    ),
    counter(
        "t2b_unauthenticated_displaced_total",
        &[],
        "Sockets closed before they authenticated, to make room for others.",
    ),
    counter(
        "t2b_authenticated_total",
        &[],
        "Connections and HTTP requests that joined their tenant.",
    ),
    counter(
        "t2b_auth_failures_total",
        &["reason"],
        "Refused credentials: invalid, expired, revoked, suspended, or throttled after too many failures.",
    ),
    counter(
        "t2b_auth_old_secret_total",
        &[],
        "Accepted credentials that a secret other than the first verified.",
    ),
    gauge(
        "t2b_connections_by_secret",
        &["secret"],
        "WebSocket connections by the secret that verified their credential: `first`, or `other`.",
    ),
    counter(
        "t2b_http_requests_total",
        &["route", "status"],
        "Requests of the HTTP API, by route and class of status.",
    ),
    gauge(
        "t2b_http_waits",
        &[],
        "Requests of the HTTP API that wait for a reply.",
    ),
    counter("t2b_frames_received_total", &[], "Text frames received."),
    counter(
        "t2b_received_bytes_total",
        &[],
        "Bytes of text frames received.",
    ),
    counter(
        "t2b_messages_delivered_total",
        &[],
        "Messages put into at least one queue of their recipient, replies included. A message between nodes counts once, on the recipient's node.",
    ),
    counter(
        "t2b_delivered_bytes_total",
        &[],
        "Bytes of those messages' frames, counted once for each message.",
    ),
    counter(
        "t2b_messages_duplicate_total",
        &[],
        "Messages answered as duplicates.",
    ),
    counter(
        "t2b_best_effort_dropped_total",
        &[],
        "Partials and typing frames dropped: rate exceeded, or recipient offline or full.",
    ),
    counter(
        "t2b_refusals_total",
        &["reason"],
        "Frames answered with `error`, by reason.",
    ),
    counter(
        "t2b_closes_total",
        &["code"],
        "Connections ended: the gateway's close code, `peer`, or `lost`.",
    ),
    counter(
        "t2b_takeovers_total",
        &[],
        "Bots taken from one connection by another.",
    ),
    counter(
        "t2b_control_frames_ignored_total",
        &[],
        "Pings and pongs ignored because they came too fast.",
    ),
    counter(
        "t2b_store_full_total",
        &[],
        "Store requests refused because the queue to the store was full.",
    ),
    counter(
        "t2b_clock_steps_total",
        &[],
        "Times that the system clock jumped by a second or more.",
    ),
    gauge(
        "t2b_clock_skew_seconds",
        &[],
        "The system clock less that of Redis, as measured every 10 s; 0 without Redis.",
    ),
    counter(
        "t2b_log_lines_dropped_total",
        &[],
        "Log lines dropped because stderr did not accept them in time.",
    ),
    gauge(
        "t2b_nodes",
        &["state"],
        "Other nodes of the cluster: live, or suspect while their beat stands still.",
    ),
    gauge(
        "t2b_degraded",
        &[],
        "1 while the shared store is down or slow, or its subscription delivers nothing.",
    ),
    counter(
        "t2b_beats_total",
        &[],
        "Beats that this node began: one a second.",
    ),
    gauge(
        "t2b_redis_connected",
        &[],
        "1 while there is a connection to every Redis master; 0 without Redis.",
    ),
    counter(
        "t2b_redis_reconnects_total",
        &[],
        "Times that all connections to Redis were replaced.",
    ),
    counter(
        "t2b_redis_skipped_total",
        &[],
        "Records, events and entries of nodes in Redis that could not be read.",
    ),
    counter(
        "t2b_redis_repaired_total",
        &[],
        "Times that a tenant's counter in Redis was not a valid timestamp and was repaired.",
    ),
    gauge(
        "t2b_directory_bots",
        &[],
        "Listed bots of the tenants in this node's memory, wherever they are.",
    ),
    gauge(
        "t2b_directory_connections",
        &[],
        "Connections of those tenants, on all nodes.",
    ),
    gauge(
        "t2b_compare_period_seconds",
        &[],
        "How often a tenant compares its directory with the store's.",
    ),
    gauge(
        "t2b_lane_unacked_bytes",
        &[],
        "Bytes published to other nodes and not acknowledged.",
    ),
    gauge(
        "t2b_lane_waiting_bytes",
        &[],
        "Bytes for other nodes that are not published yet.",
    ),
    counter(
        "t2b_lane_resends_total",
        &[],
        "Messages published again to another node.",
    ),
    counter(
        "t2b_lane_resets_total",
        &[],
        "Times that a lane failed: its node acknowledged nothing for 7.5 s, or left the cluster.",
    ),
    counter(
        "t2b_lane_published_total",
        &[],
        "Packets published to other nodes: batches and acks.",
    ),
    counter(
        "t2b_lane_published_bytes_total",
        &[],
        "Bytes of those packets.",
    ),
    counter(
        "t2b_lane_received_total",
        &[],
        "Packets of other nodes that were accepted.",
    ),
    counter(
        "t2b_lane_received_bytes_total",
        &[],
        "Bytes of those packets.",
    ),
    counter(
        "t2b_lane_refused_total",
        &["reason"],
        "Packets and envelopes of other nodes that this node did not understand, or that are not signed with one of its secrets.",
    ),
    gauge(
        "t2b_nodes_unreachable",
        &["reason", "node"],
        "1 for each live node that has no secret or no wire version in common with this one.",
    ),
    gauge(
        "t2b_nodes_secret_gap",
        &["at"],
        "Live nodes that lack this node's first secret (`there`), or whose first secret this node lacks (`here`).",
    ),
    counter(
        "t2b_lane_dropped_total",
        &[],
        "Packets dropped because too many waited; their lane sends them again.",
    ),
    counter(
        "t2b_tenants_healed_total",
        &[],
        "Times that this node found entries of a tenant missing in the store.",
    ),
    counter(
        "t2b_directory_reads_total",
        &[],
        "Times that a tenant's directory was read from the store.",
    ),
    counter(
        "t2b_directory_reads_deferred_total",
        &[],
        "Reads of a directory that waited, because the last one was a moment before.",
    ),
    counter(
        "t2b_usage_flush_total",
        &["result"],
        "Records of usage: `booked`; `late`, as their hour was closed; `failed`, as the store did not answer, so that they are repeated.",
    ),
    gauge(
        "t2b_usage_unflushed_seconds",
        &[],
        "Age of the oldest usage that is not booked. It is below `usage_flush` while the store answers.",
    ),
    counter(
        "t2b_usage_journal_failures_total",
        &[],
        "Writes of the journal of usage that failed.",
    ),
    counter(
        "process_cpu_seconds_total",
        &[],
        "Seconds of CPU that the process has used, in user space and in the kernel.",
    ),
    gauge(
        "process_resident_memory_bytes",
        &[],
        "Memory that the process uses, without the kernel's buffers of its sockets.",
    ),
    gauge(
        "process_open_fds",
        &[],
        "Files and sockets that the process has open.",
    ),
    gauge(
        "process_max_fds",
        &[],
        "Files and sockets that the process may have open.",
    ),
    gauge("process_threads", &[], "Threads of the process."),
    gauge(
        "process_start_time_seconds",
        &[],
        "When the process started, Unix seconds.",
    ),
];

/// The row of a metric.
pub(super) fn row(name: &str) -> Option<&'static MetricRow> {
    TABLE.iter().find(|row| row.name == name)
}
