//! All tenants: who uses the most, and whether all of it gets into the ledger.

use super::super::panel::PanelUnit::{BytesPerSecond, Count, PerSecond, Ratio, Seconds};
use super::super::panel::{DashboardTable, panel};

pub(super) const USAGE: DashboardTable = DashboardTable {
    path: "deploy/grafana/usage.json",
    uid: "t2b-usage",
    title: "T2B / Usage",
    shows: "Which tenants use most, and whether all usage gets into the ledger.",
    choice: None,
    panels: &[
        panel(
            "Messages",
            PerSecond,
            "Messages of all tenants, by outcome.",
            &[(
                "sum by (outcome) (rate(t2b_tenant_messages_total[$__rate_interval]))",
                "{{outcome}}",
            )],
        ),
        panel(
            "Most messages",
            PerSecond,
            "The eight tenants that send the most messages.",
            &[(
                "topk(8, sum by (tenant) (rate(t2b_tenant_messages_total{tenant!=\"_other\"}[$__rate_interval])))",
                "{{tenant}}",
            )],
        ),
        panel(
            "Most refusals",
            PerSecond,
            "The eight tenants with the most refused messages.",
            &[(
                "topk(8, sum by (tenant) (rate(t2b_tenant_refusals_total{tenant!=\"_other\"}[$__rate_interval])))",
                "{{tenant}}",
            )],
        ),
        panel(
            "Bytes",
            BytesPerSecond,
            "Bytes of text frames on the sockets of all tenants.",
            &[(
                "sum by (direction) (rate(t2b_tenant_bytes_total[$__rate_interval]))",
                "{{direction}}",
            )],
        ),
        panel(
            "Most bytes",
            BytesPerSecond,
            "The eight tenants with the most bytes of text frames, in and out.",
            &[(
                "topk(8, sum by (tenant) (rate(t2b_tenant_bytes_total{tenant!=\"_other\"}[$__rate_interval])))",
                "{{tenant}}",
            )],
        ),
        panel(
            "Copies delivered",
            PerSecond,
            "Copies of messages, partials and typing that were put into queues of connections.",
            &[(
                "sum by (kind) (rate(t2b_tenant_deliveries_total[$__rate_interval]))",
                "{{kind}}",
            )],
        ),
        panel(
            "Open sockets",
            Count,
            "Sockets of all tenants: those that hold a bot, and the others.",
            &[("sum by (kind) (t2b_tenant_connections)", "{{kind}}")],
        ),
        panel(
            "Most sockets",
            Count,
            "The eight tenants with the most open sockets.",
            &[(
                "topk(8, sum by (tenant) (t2b_tenant_connections{tenant!=\"_other\"}))",
                "{{tenant}}",
            )],
        ),
        panel(
            "HTTP requests",
            PerSecond,
            "Requests to the HTTP API: of all tenants, and of the eight with the most.",
            &[
                (
                    "sum(rate(t2b_tenant_http_requests_total[$__rate_interval]))",
                    "all",
                ),
                (
                    "topk(8, sum by (tenant) (rate(t2b_tenant_http_requests_total{tenant!=\"_other\"}[$__rate_interval])))",
                    "{{tenant}}",
                ),
            ],
        ),
        panel(
            "Share of _other",
            Ratio,
            "How much of the messages, bytes and sockets is of tenants without series of their own. Raise tenant_series_max if it is too much.",
            &[
                (
                    "sum(rate(t2b_tenant_messages_total{tenant=\"_other\"}[$__rate_interval])) / sum(rate(t2b_tenant_messages_total[$__rate_interval]))",
                    "messages",
                ),
                (
                    "sum(rate(t2b_tenant_bytes_total{tenant=\"_other\"}[$__rate_interval])) / sum(rate(t2b_tenant_bytes_total[$__rate_interval]))",
                    "bytes",
                ),
                (
                    "sum(t2b_tenant_connections{tenant=\"_other\"}) / sum(t2b_tenant_connections)",
                    "sockets",
                ),
            ],
        ),
        panel(
            "Tenants with series of their own",
            Count,
            "How many tenants each node shows by name, at most tenant_series_max.",
            &[(
                "count by (instance) (t2b_tenant_http_requests_total{tenant!=\"_other\"})",
                "{{instance}}",
            )],
        ),
        panel(
            "Usage that is not booked",
            Seconds,
            "Age of the oldest usage that the ledger does not have. The alert T2bUsageUnflushed fires above 6 minutes.",
            &[(
                "max by (instance) (t2b_usage_unflushed_seconds)",
                "{{instance}}",
            )],
        ),
        panel(
            "Records of usage",
            PerSecond,
            "Records that nodes send to the ledger, by result. Failed ones are repeated.",
            &[(
                "sum by (result) (rate(t2b_usage_flush_total[$__rate_interval]))",
                "{{result}}",
            )],
        ),
        panel(
            "Records that failed",
            Ratio,
            "Share of the records that the store did not answer. The alert T2bUsageBookingsFail has the limit.",
            &[(
                "sum by (instance) (rate(t2b_usage_flush_total{result=\"failed\"}[$__rate_interval])) / sum by (instance) (rate(t2b_usage_flush_total[$__rate_interval]))",
                "{{instance}}",
            )],
        ),
        panel(
            "Late records",
            Count,
            "Records within the last hour that were booked into a later hour, because their own was closed.",
            &[(
                "sum by (instance) (increase(t2b_usage_flush_total{result=\"late\"}[1h]))",
                "{{instance}}",
            )],
        ),
        panel(
            "Journal failures",
            PerSecond,
            "Writes of the journal that failed: a killed node would lose this usage.",
            &[(
                "sum by (instance) (rate(t2b_usage_journal_failures_total[$__rate_interval]))",
                "{{instance}}",
            )],
        ),
        panel(
            "Time to book a record, 99th percentile",
            Seconds,
            "The time within which the store answers 99 of 100 records.",
            &[(
                "histogram_quantile(0.99, sum by (le, instance) (rate(t2b_store_seconds_bucket{ask=\"book_usage\"}[$__rate_interval])))",
                "{{instance}}",
            )],
        ),
        panel(
            "Clock",
            Seconds,
            "The clock of each node minus the clock of Redis. A node beyond 30 s does not start.",
            &[("max by (instance) (t2b_clock_skew_seconds)", "{{instance}}")],
        ),
    ],
};
