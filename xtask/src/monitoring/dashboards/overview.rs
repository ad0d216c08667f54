//! The cluster as a whole: is it well, and do users notice if it is not.

use super::super::panel::PanelUnit::{BytesPerSecond, Count, PerSecond, Ratio, Seconds};
use super::super::panel::{DashboardTable, panel};

pub(super) const OVERVIEW: DashboardTable = DashboardTable {
    path: "deploy/grafana/overview.json",
    uid: "t2b-overview",
    title: "T2B / Overview",
    shows: "The whole cluster: whether its objectives hold, and how much it carries.",
    choice: None,
    panels: &[
        panel(
            "Error budget left",
            Ratio,
            "Share of the 30-day error budget of each objective that is not used up. Below 0 the objective is missed.",
            &[("t2b:slo_error_budget:ratio", "{{job}} {{slo}}")],
        ),
        panel(
            "Burn rate over 1 h",
            Count,
            "How many times faster than the objective allows errors came within the last hour. 1 uses the budget up in 30 days.",
            &[("t2b:slo_burn_rate:1h", "{{job}} {{slo}}")],
        ),
        panel(
            "Errors of the platform",
            Ratio,
            "Share of the events of each objective that failed within the last 5 minutes.",
            &[("t2b:sli_error:ratio_rate5m", "{{job}} {{slo}}")],
        ),
        panel(
            "Connections",
            Count,
            "WebSocket connections and bots of all nodes.",
            &[
                ("sum(t2b_connections)", "connections"),
                ("sum(t2b_bots_online)", "bots online"),
            ],
        ),
        panel(
            "Messages",
            PerSecond,
            "Messages delivered and answered as duplicates, and best-effort frames dropped.",
            &[
                (
                    "sum(rate(t2b_messages_delivered_total[$__rate_interval]))",
                    "delivered",
                ),
                (
                    "sum(rate(t2b_messages_duplicate_total[$__rate_interval]))",
                    "duplicates",
                ),
                (
                    "sum(rate(t2b_best_effort_dropped_total[$__rate_interval]))",
                    "best effort dropped",
                ),
            ],
        ),
        panel(
            "Refusals by reason",
            PerSecond,
            "Frames answered with an error, by reason: the eight most frequent ones.",
            &[(
                "topk(8, sum by (reason) (rate(t2b_refusals_total[$__rate_interval])))",
                "{{reason}}",
            )],
        ),
        panel(
            "Message latency, 99th percentile",
            Seconds,
            "The time within which 99 of 100 messages are settled, on one node and between nodes.",
            &[(
                "histogram_quantile(0.99, sum by (le, path) (rate(t2b_message_seconds_bucket[$__rate_interval])))",
                "{{path}}",
            )],
        ),
        panel(
            "Message latency, median",
            Seconds,
            "The time within which half of the messages are settled, on one node and between nodes.",
            &[(
                "histogram_quantile(0.5, sum by (le, path) (rate(t2b_message_seconds_bucket[$__rate_interval])))",
                "{{path}}",
            )],
        ),
        panel(
            "Connect time",
            Seconds,
            "From accept to auth_ok, the client's own time included.",
            &[
                (
                    "histogram_quantile(0.99, sum by (le) (rate(t2b_connect_seconds_bucket[$__rate_interval])))",
                    "99th percentile",
                ),
                (
                    "histogram_quantile(0.5, sum by (le) (rate(t2b_connect_seconds_bucket[$__rate_interval])))",
                    "median",
                ),
            ],
        ),
        panel(
            "Handshakes by result",
            PerSecond,
            "WebSocket handshakes: upgraded, or the HTTP status of the refusal.",
            &[(
                "sum by (result) (rate(t2b_handshakes_total[$__rate_interval]))",
                "{{result}}",
            )],
        ),
        panel(
            "Closes by code",
            PerSecond,
            "Connections that ended: the gateway's close code, `peer`, or `lost`. The eight most frequent ones.",
            &[(
                "topk(8, sum by (code) (rate(t2b_closes_total[$__rate_interval])))",
                "{{code}}",
            )],
        ),
        panel(
            "Refused credentials",
            PerSecond,
            "Credentials that were refused, by reason.",
            &[(
                "sum by (reason) (rate(t2b_auth_failures_total[$__rate_interval]))",
                "{{reason}}",
            )],
        ),
        panel(
            "HTTP requests by status",
            PerSecond,
            "Requests of the HTTP API by class of status.",
            &[(
                "sum by (status) (rate(t2b_http_requests_total[$__rate_interval]))",
                "{{status}}",
            )],
        ),
        panel(
            "Traffic",
            BytesPerSecond,
            "Bytes of text frames received, and bytes written to WebSockets.",
            &[
                (
                    "sum(rate(t2b_received_bytes_total[$__rate_interval]))",
                    "received",
                ),
                ("sum(rate(t2b_sent_bytes_total[$__rate_interval]))", "sent"),
            ],
        ),
        panel(
            "Nodes",
            Count,
            "Nodes that are scraped, by version; how many of them are degraded or drain.",
            &[
                ("count by (version) (t2b_build_info)", "{{version}}"),
                ("sum(t2b_degraded)", "degraded"),
                ("sum(t2b_draining)", "draining"),
            ],
        ),
    ],
};
