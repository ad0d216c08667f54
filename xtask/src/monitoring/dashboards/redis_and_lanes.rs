//! The shared store, and the lanes between the nodes.

use super::super::panel::PanelUnit::{Bytes, BytesPerSecond, Count, PerSecond, Seconds};
use super::super::panel::{DashboardTable, PanelChoice, panel};

pub(super) const REDIS_AND_LANES: DashboardTable = DashboardTable {
    path: "deploy/grafana/redis-and-lanes.json",
    uid: "t2b-redis-and-lanes",
    title: "T2B / Redis and lanes",
    shows: "The shared store and the messages between nodes.",
    choice: Some(PanelChoice::NODES),
    panels: &[
        panel(
            "Redis connected",
            Count,
            "1 while the node has a connection to every Redis master.",
            &[(
                "t2b_redis_connected{instance=~\"$instance\"}",
                "{{instance}}",
            )],
        ),
        panel(
            "Degraded",
            Count,
            "1 while the shared store is down or slow for the node.",
            &[("t2b_degraded{instance=~\"$instance\"}", "{{instance}}")],
        ),
        panel(
            "Reconnects",
            PerSecond,
            "Times that all connections to Redis were replaced.",
            &[(
                "rate(t2b_redis_reconnects_total{instance=~\"$instance\"}[$__rate_interval])",
                "{{instance}}",
            )],
        ),
        panel(
            "Redis commands",
            PerSecond,
            "Commands sent to Redis: scripts of the store, PUBLISH, and others.",
            &[(
                "sum by (kind) (rate(t2b_redis_commands_total{instance=~\"$instance\"}[$__rate_interval]))",
                "{{kind}}",
            )],
        ),
        panel(
            "Store latency, 99th percentile",
            Seconds,
            "The time within which the store answers 99 of 100 requests, by request: the eight slowest.",
            &[(
                "topk(8, histogram_quantile(0.99, sum by (le, ask) (rate(t2b_store_seconds_bucket{instance=~\"$instance\"}[$__rate_interval]))))",
                "{{ask}}",
            )],
        ),
        panel(
            "Store requests",
            PerSecond,
            "Requests that the store answered, by request: the eight most frequent.",
            &[(
                "topk(8, sum by (ask) (rate(t2b_store_seconds_count{instance=~\"$instance\"}[$__rate_interval])))",
                "{{ask}}",
            )],
        ),
        panel(
            "Queues to the store",
            Count,
            "Requests that wait in the queues to the store.",
            &[(
                "t2b_store_queue{instance=~\"$instance\"}",
                "{{instance}} {{queue}}",
            )],
        ),
        panel(
            "Store requests refused",
            PerSecond,
            "Requests refused because a queue to the store was full.",
            &[(
                "rate(t2b_store_full_total{instance=~\"$instance\"}[$__rate_interval])",
                "{{instance}}",
            )],
        ),
        panel(
            "Lane acknowledgements",
            Seconds,
            "From the first PUBLISH of a batch to its acknowledgement by the other node.",
            &[
                (
                    "histogram_quantile(0.99, sum by (le) (rate(t2b_lane_ack_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                    "99th percentile",
                ),
                (
                    "histogram_quantile(0.5, sum by (le) (rate(t2b_lane_ack_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                    "median",
                ),
            ],
        ),
        panel(
            "Lanes: bytes not acknowledged",
            Bytes,
            "Bytes published to another node and not acknowledged, by sending and receiving node.",
            &[(
                "t2b_lane_unacked_bytes{instance=~\"$instance\", node!=\"\"}",
                "{{instance}} to {{node}}",
            )],
        ),
        panel(
            "Lanes: bytes that wait",
            Bytes,
            "Bytes for another node that are not published yet, by sending and receiving node.",
            &[(
                "t2b_lane_waiting_bytes{instance=~\"$instance\", node!=\"\"}",
                "{{instance}} to {{node}}",
            )],
        ),
        panel(
            "Lanes: oldest message",
            Seconds,
            "How long the oldest message for another node has been in its lane. A lane fails at 7.5 s.",
            &[(
                "t2b_lane_oldest_seconds{instance=~\"$instance\", node!=\"\"}",
                "{{instance}} to {{node}}",
            )],
        ),
        panel(
            "Lanes: packets",
            PerSecond,
            "Packets published to other nodes, and accepted from them.",
            &[
                (
                    "rate(t2b_lane_published_total{instance=~\"$instance\"}[$__rate_interval])",
                    "{{instance}} published",
                ),
                (
                    "rate(t2b_lane_received_total{instance=~\"$instance\"}[$__rate_interval])",
                    "{{instance}} received",
                ),
            ],
        ),
        panel(
            "Lanes: traffic",
            BytesPerSecond,
            "Bytes of the packets published to other nodes, and accepted from them.",
            &[
                (
                    "rate(t2b_lane_published_bytes_total{instance=~\"$instance\"}[$__rate_interval])",
                    "{{instance}} published",
                ),
                (
                    "rate(t2b_lane_received_bytes_total{instance=~\"$instance\"}[$__rate_interval])",
                    "{{instance}} received",
                ),
            ],
        ),
        panel(
            "Lanes: errors",
            PerSecond,
            "Messages published again, lanes that failed, packets dropped, and packets that were not understood.",
            &[
                (
                    "sum(rate(t2b_lane_resends_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "resends",
                ),
                (
                    "sum(rate(t2b_lane_resets_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "resets",
                ),
                (
                    "sum(rate(t2b_lane_dropped_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "dropped",
                ),
                (
                    "sum(rate(t2b_lane_refused_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "refused",
                ),
            ],
        ),
        panel(
            "Other nodes",
            Count,
            "How many nodes each node sees: live, suspect, and live without a common secret or wire version.",
            &[
                (
                    "t2b_nodes{instance=~\"$instance\"}",
                    "{{instance}} {{state}}",
                ),
                (
                    "sum by (instance) (t2b_nodes_unreachable{instance=~\"$instance\"})",
                    "{{instance}} unreachable",
                ),
            ],
        ),
        panel(
            "Directory",
            Count,
            "Bots and connections in each node's copy of its tenants' directories.",
            &[
                (
                    "t2b_directory_bots{instance=~\"$instance\"}",
                    "{{instance}} bots",
                ),
                (
                    "t2b_directory_connections{instance=~\"$instance\"}",
                    "{{instance}} connections",
                ),
            ],
        ),
        panel(
            "Directory: reads and repairs",
            PerSecond,
            "Reads of a directory from the store, reads that had to wait, and what was found missing, unreadable or invalid.",
            &[
                (
                    "sum(rate(t2b_directory_reads_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "reads",
                ),
                (
                    "sum(rate(t2b_directory_reads_deferred_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "deferred",
                ),
                (
                    "sum(rate(t2b_tenants_healed_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "entries missing",
                ),
                (
                    "sum(rate(t2b_redis_skipped_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "unreadable",
                ),
                (
                    "sum(rate(t2b_redis_repaired_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "repaired",
                ),
            ],
        ),
    ],
};
