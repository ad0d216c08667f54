//! The one table of metrics: name, kind, labels, help.

use super::buckets::{CONNECT_SECONDS, HTTP_SECONDS, PATH_SECONDS};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts measured values by upper bounds: `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl MetricKind {
    /// The word of Prometheus's text format.
    pub const fn word(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
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
    /// The feature without which a node has no series of it.
    pub needs: Option<&'static str>,
    /// The upper bounds of a histogram but the last, which is infinite; in the unit of the name.
    pub buckets: &'static [f64],
    /// What it counts, and in which unit.
    pub help: &'static str,
}

/// A row: kind, name, labels, the buckets of a histogram or `if` and the feature it needs, help.
macro_rules! metric_rows {
    ($( $kind:ident $name:literal [$($label:literal),*] $(/ $buckets:ident)? $(if $needs:literal)? $help:literal; )*) => {
        /// Every metric of the product.
        pub const TABLE: &[MetricRow] = &[ $( MetricRow {
            name: $name,
            kind: MetricKind::$kind,
            labels: &[$($label),*],
            needs: only(&[$($needs)?]),
            buckets: of_one(&[$($buckets)?]),
            help: $help,
        }, )* ];
    };
}

metric_rows! {
    Gauge "t2b_build_info" ["version", "commit", "wire", "boot"] "Always 1. The labels say which build runs: version, commit (`unknown` if the build did not know it), newest wire version, and the boot id of this process.";
    Gauge "t2b_connections" [] "WebSocket connections that are open.";
    Gauge "t2b_sockets_max" [] "Sockets that the public listener may have open.";
    Gauge "t2b_tenants" [] "Tenants in this node's memory.";
    Gauge "t2b_bots_online" [] "Bots whose home is this node.";
    Gauge "t2b_draining" [] "1 while this node drains: it shuts down, or an operator drains it.";
    Counter "t2b_moves_total" ["outcome"] "Sockets that this node sent to other nodes: `asked` to move; `moved`, gone in time; `closed`, because they stayed.";
    Counter "t2b_reloads_total" ["result"] "Reloads of the configuration: `changed`, something applies now; `unchanged`; `refused`, the configuration is wrong or would cut somebody off.";
    Gauge "t2b_config_loaded_timestamp_seconds" [] "When the configuration was last read without an error, Unix seconds.";
    Gauge "t2b_store_bytes" [] "Bytes that the memory store holds, as it estimates them.";
    Gauge "t2b_outbound_bytes" [] "Bytes that wait until the peers read them, of all sockets, in queues and in the kernel.";
    Gauge "t2b_outbound_bytes_max" [] "Most that `t2b_outbound_bytes` may be: a quarter of `memory_max`.";
    Gauge "t2b_outbound_kernel_bytes" [] "The part of `t2b_outbound_bytes` that the kernel holds, as last measured.";
    Gauge "t2b_memory_max_bytes" [] "The effective `memory_max`.";
    Counter "t2b_shed_total" ["pool"] "Connections closed because memory ran short: outbound, assembly.";
    Gauge "t2b_assembly_bytes" [] "Bytes of partially received messages.";
    Counter "t2b_handshakes_total" ["result"] "Handshakes by their result: `upgraded`, or the HTTP status of the refusal.";
    Histogram "t2b_connect_seconds" [] / CONNECT_SECONDS "From the accept of a WebSocket connection to its `auth_ok`. The time that the client takes is part of it.";
    Counter "t2b_unauthenticated_displaced_total" [] "Sockets closed before they authenticated, to make room for others.";
    Counter "t2b_authenticated_total" [] "Connections and HTTP requests that joined their tenant.";
    Counter "t2b_auth_failures_total" ["reason"] "Refused credentials: invalid, expired, revoked, suspended, or throttled after too many failures.";
    Counter "t2b_auth_old_secret_total" [] "Accepted credentials that a secret other than the first verified.";
    Gauge "t2b_connections_by_secret" ["secret"] "WebSocket connections by the secret that verified their credential: `first`, or `other`.";
    Counter "t2b_http_requests_total" ["route", "status"] "Requests of the HTTP API, by route and class of status.";
    Histogram "t2b_http_seconds" ["route"] / HTTP_SECONDS "From the head of a request of the HTTP API to the head of its answer. The wait for a reply that the request asks for is part of it.";
    Gauge "t2b_http_waits" [] "Requests of the HTTP API that wait for a reply.";
    Counter "t2b_frames_received_total" [] "Text frames received.";
    Counter "t2b_received_bytes_total" [] "Bytes of text frames received.";
    Counter "t2b_sent_bytes_total" [] "Bytes written to WebSockets: frame heads, payloads, pings, pongs and Close frames, before TLS. Handshakes and the HTTP API are not counted.";
    Histogram "t2b_message_seconds" ["path"] / PATH_SECONDS "From the read of a message to the moment it is settled: queued for its recipients, refused, or known as a duplicate. A random 1 in 64 is measured. `remote`: another node had to decide.";
    Counter "t2b_messages_delivered_total" [] "Messages put into at least one queue of their recipient, replies included. A message between nodes counts once, on the recipient's node.";
    Counter "t2b_delivered_bytes_total" [] "Bytes of those messages' frames, counted once for each message.";
    Counter "t2b_messages_duplicate_total" [] "Messages answered as duplicates.";
    Counter "t2b_best_effort_dropped_total" [] "Partials and typing frames dropped: rate exceeded, or recipient offline or full.";
    Counter "t2b_refusals_total" ["reason"] "Frames answered with `error`, by reason.";
    Counter "t2b_closes_total" ["code"] "Connections ended: the gateway's close code, `peer`, or `lost`.";
    Counter "t2b_takeovers_total" [] "Bots taken from one connection by another.";
    Counter "t2b_control_frames_ignored_total" [] "Pings and pongs ignored because they came too fast.";
    Counter "t2b_store_full_total" [] "Store requests refused because the queue to the store was full.";
    Gauge "t2b_store_queue" ["queue"] "Requests that wait in the queues to the store.";
    Histogram "t2b_store_seconds" ["ask"] / PATH_SECONDS "How long the store took to answer a request, by request.";
    Counter "t2b_clock_steps_total" [] "Times that the system clock jumped by a second or more.";
    Gauge "t2b_clock_skew_seconds" [] "The system clock less that of Redis, as measured every 10 s; 0 without Redis.";
    Counter "t2b_log_lines_dropped_total" [] "Log lines dropped because stderr did not accept them in time.";
    Gauge "t2b_runtime_lag_seconds" [] "The most that the 50 ms timer of this node was late within the last 10 to 20 s.";
    Gauge "t2b_runtime_busy_ratio" [] "Share of the last 5 s in which the worker threads of the async runtime were busy, from 0 to 1.";
    Gauge "t2b_tls_expiry_timestamp_seconds" ["listener"] if "TLS" "When the certificate of a listener expires, Unix seconds: `public`, `admin`.";
    Gauge "t2b_nodes" ["state"] "Other nodes of the cluster: live, or suspect while their beat stands still.";
    Gauge "t2b_degraded" [] "1 while the shared store is down or slow, or its subscription delivers nothing.";
    Gauge "t2b_isolated" [] "1 while this node, degraded, asks its sockets to move: most other nodes reach the store, or none has answered for `isolate_after`.";
    Counter "t2b_beats_total" [] "Beats that this node began: one a second.";
    Gauge "t2b_redis_connected" [] if "Redis" "1 while there is a connection to every Redis master.";
    Counter "t2b_redis_commands_total" ["kind"] "Commands sent to Redis: `script`, `publish`, or `other`.";
    Counter "t2b_redis_reconnects_total" [] "Times that all connections to Redis were replaced.";
    Counter "t2b_redis_skipped_total" [] "Records, events and entries of nodes in Redis that could not be read.";
    Counter "t2b_redis_full_total" [] "Commands that Redis refused because it has no memory left (`maxmemory`).";
    Counter "t2b_redis_repaired_total" [] "Times that a tenant's counter in Redis was not a valid timestamp and was repaired.";
    Gauge "t2b_directory_bots" [] "Listed bots of the tenants in this node's memory, wherever they are.";
    Gauge "t2b_directory_connections" [] "Connections of those tenants, on all nodes.";
    Gauge "t2b_compare_period_seconds" [] "How often a tenant compares its directory with the store's.";
    Gauge "t2b_lane_unacked_bytes" ["node"] "Bytes published to another node and not acknowledged.";
    Gauge "t2b_lane_waiting_bytes" ["node"] "Bytes for another node that are not published yet.";
    Gauge "t2b_lane_oldest_seconds" ["node"] "How long the oldest message for another node has been in its lane.";
    Histogram "t2b_lane_ack_seconds" [] / PATH_SECONDS "From the first PUBLISH of a batch to its acknowledgement by the other node. One batch of a lane is measured at a time.";
    Counter "t2b_lane_resends_total" [] "Messages published again to another node.";
    Counter "t2b_lane_resets_total" [] "Times that a lane failed: its node acknowledged nothing for 7.5 s, or left the cluster.";
    Counter "t2b_lane_published_total" [] "Packets published to other nodes: batches and acks.";
    Counter "t2b_lane_published_bytes_total" [] "Bytes of those packets.";
    Counter "t2b_lane_received_total" [] "Packets of other nodes that were accepted.";
    Counter "t2b_lane_received_bytes_total" [] "Bytes of those packets.";
    Counter "t2b_lane_refused_total" ["reason"] "Packets and envelopes of other nodes that this node did not understand, or that are not signed with one of its secrets.";
    Gauge "t2b_nodes_unreachable" ["reason", "node"] "1 for each live node that has no secret or no wire version in common with this one.";
    Gauge "t2b_nodes_secret_gap" ["at"] "Live nodes that lack this node's first secret (`there`), or whose first secret this node lacks (`here`).";
    Counter "t2b_lane_dropped_total" [] "Packets dropped because too many waited; their lane sends them again.";
    Counter "t2b_tenants_healed_total" [] "Times that this node found entries of a tenant missing in the store.";
    Counter "t2b_directory_reads_total" [] "Times that a tenant's directory was read from the store.";
    Counter "t2b_directory_reads_deferred_total" [] "Reads of a directory that waited, because the last one was a moment before.";
    Counter "t2b_usage_flush_total" ["result"] "Records of usage, those of journals that the node found included: `booked`; `late`, as their hour was closed; `failed`, as the store did not answer, so that they are repeated.";
    Counter "t2b_allowances_reached_total" ["meter"] "Times that a tenant had reached a soft allowance, once a day for each tenant, meter and node; on the same day again if the node loaded the tenant again, or an operator assigned it other allowances.";
    Gauge "t2b_usage_unflushed_seconds" [] "Age of the oldest usage that is not booked. It is below `usage_flush` while the store answers.";
    Counter "t2b_usage_journal_failures_total" [] "Times that the journal of usage could not be begun or written.";
    Counter "process_cpu_seconds_total" [] "Seconds of CPU that the process has used, in user space and in the kernel.";
    Gauge "process_resident_memory_bytes" [] "Memory that the process uses, without the kernel's buffers of its sockets.";
    Gauge "process_open_fds" [] "Files and sockets that the process has open.";
    Gauge "process_max_fds" [] "Files and sockets that the process may have open.";
    Gauge "process_threads" [] "Threads of the process.";
    Gauge "process_start_time_seconds" [] "When the process started, Unix seconds.";
}

/// The word, if there is one.
const fn only(words: &[&'static str]) -> Option<&'static str> {
    match words {
        [word, ..] => Some(word),
        [] => None,
    }
}

/// The buckets, if there are any.
const fn of_one(lists: &[&'static [f64]]) -> &'static [f64] {
    match lists {
        [buckets, ..] => buckets,
        [] => &[],
    }
}

/// The row of a metric.
pub(super) fn row(name: &str) -> Option<&'static MetricRow> {
    TABLE.iter().find(|row| row.name == name)
}
