//! One node, or several beside each other: what it uses, and what it runs short of.

use super::super::panel::PanelUnit::{Bytes, BytesPerSecond, Count, PerSecond, Ratio, Seconds};
use super::super::panel::{DashboardTable, PanelChoice, panel};

pub(super) const NODE: DashboardTable = DashboardTable {
    path: "deploy/grafana/node.json",
    uid: "t2b-node",
    title: "T2B / Node",
    shows: "One node, or several side by side: its connections, messages, memory and delays.",
    choice: Some(PanelChoice::NODES),
    panels: &[
        panel(
            "Saturation",
            Ratio,
            "The fullest node's use of each resource. The alert T2bSaturation has the limits.",
            &[(
                "max by (resource) (t2b:saturation:ratio{instance=~\"$instance\"})",
                "{{resource}}",
            )],
        ),
        panel(
            "CPU",
            Count,
            "Cores that the process uses.",
            &[(
                "rate(process_cpu_seconds_total{instance=~\"$instance\"}[$__rate_interval]) and on (job, instance) t2b_connections",
                "{{instance}}",
            )],
        ),
        panel(
            "Runtime",
            Ratio,
            "Share of the last 5 s in which the worker threads were busy.",
            &[(
                "t2b_runtime_busy_ratio{instance=~\"$instance\"}",
                "{{instance}}",
            )],
        ),
        panel(
            "Runtime lag",
            Seconds,
            "The most that the node's 50 ms timer was late within the last 10 to 20 s.",
            &[(
                "t2b_runtime_lag_seconds{instance=~\"$instance\"}",
                "{{instance}}",
            )],
        ),
        panel(
            "Memory",
            Bytes,
            "Memory of the process and of the kernel for its sockets, and what it may use.",
            &[
                (
                    "process_resident_memory_bytes{instance=~\"$instance\"} + on (job, instance) t2b_outbound_kernel_bytes",
                    "{{instance}} used",
                ),
                (
                    "t2b_memory_max_bytes{instance=~\"$instance\"}",
                    "{{instance}} max",
                ),
            ],
        ),
        panel(
            "Bytes that wait for peers",
            Bytes,
            "Frames that the peers have not read, in queues and in the kernel, and partially received messages.",
            &[
                (
                    "t2b_outbound_bytes{instance=~\"$instance\"}",
                    "{{instance}} outbound",
                ),
                (
                    "t2b_outbound_kernel_bytes{instance=~\"$instance\"}",
                    "{{instance}} in the kernel",
                ),
                (
                    "t2b_assembly_bytes{instance=~\"$instance\"}",
                    "{{instance}} incoming",
                ),
            ],
        ),
        panel(
            "Sockets",
            Count,
            "WebSocket connections, and how many sockets may be open.",
            &[
                ("t2b_connections{instance=~\"$instance\"}", "{{instance}}"),
                (
                    "t2b_sockets_max{instance=~\"$instance\"}",
                    "{{instance}} max",
                ),
            ],
        ),
        panel(
            "Tenants and bots",
            Count,
            "Tenants in memory, and bots whose home is the node.",
            &[
                (
                    "t2b_tenants{instance=~\"$instance\"}",
                    "{{instance}} tenants",
                ),
                (
                    "t2b_bots_online{instance=~\"$instance\"}",
                    "{{instance}} bots",
                ),
            ],
        ),
        panel(
            "Files and threads",
            Count,
            "Files and sockets that the process has open, and its threads.",
            &[
                (
                    "process_open_fds{instance=~\"$instance\"} and on (job, instance) t2b_connections",
                    "{{instance}} files",
                ),
                (
                    "process_threads{instance=~\"$instance\"} and on (job, instance) t2b_connections",
                    "{{instance}} threads",
                ),
            ],
        ),
        panel(
            "Frames received",
            PerSecond,
            "Text frames that clients and bots sent.",
            &[(
                "rate(t2b_frames_received_total{instance=~\"$instance\"}[$__rate_interval])",
                "{{instance}}",
            )],
        ),
        panel(
            "Traffic",
            BytesPerSecond,
            "Bytes of text frames received, and bytes written to WebSockets.",
            &[
                (
                    "rate(t2b_received_bytes_total{instance=~\"$instance\"}[$__rate_interval])",
                    "{{instance}} received",
                ),
                (
                    "rate(t2b_sent_bytes_total{instance=~\"$instance\"}[$__rate_interval])",
                    "{{instance}} sent",
                ),
            ],
        ),
        panel(
            "Message latency, 99th percentile",
            Seconds,
            "The time within which 99 of 100 messages are settled, by node and path.",
            &[(
                "histogram_quantile(0.99, sum by (le, instance, path) (rate(t2b_message_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                "{{instance}} {{path}}",
            )],
        ),
        panel(
            "HTTP latency, 99th percentile",
            Seconds,
            "The time within which 99 of 100 requests of the HTTP API are answered, by route. The wait for a reply is part of it.",
            &[(
                "histogram_quantile(0.99, sum by (le, route) (rate(t2b_http_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                "{{route}}",
            )],
        ),
        panel(
            "HTTP requests that wait",
            Count,
            "Requests of the HTTP API that wait for a reply.",
            &[("t2b_http_waits{instance=~\"$instance\"}", "{{instance}}")],
        ),
        panel(
            "Connections closed for memory",
            PerSecond,
            "Connections closed because memory ran short, and sockets without a credential that made room for others.",
            &[
                (
                    "sum by (instance, pool) (rate(t2b_shed_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{instance}} {{pool}}",
                ),
                (
                    "rate(t2b_unauthenticated_displaced_total{instance=~\"$instance\"}[$__rate_interval])",
                    "{{instance}} displaced",
                ),
            ],
        ),
        panel(
            "Log lines dropped",
            PerSecond,
            "Log lines that stderr did not take in time.",
            &[(
                "rate(t2b_log_lines_dropped_total{instance=~\"$instance\"}[$__rate_interval])",
                "{{instance}}",
            )],
        ),
        panel(
            "Clock",
            Seconds,
            "The system clock minus the clock of Redis.",
            &[(
                "t2b_clock_skew_seconds{instance=~\"$instance\"}",
                "{{instance}}",
            )],
        ),
        panel(
            "Uptime",
            Seconds,
            "How long the process runs.",
            &[(
                "(time() - process_start_time_seconds{instance=~\"$instance\"}) and on (job, instance) t2b_connections",
                "{{instance}}",
            )],
        ),
    ],
};
