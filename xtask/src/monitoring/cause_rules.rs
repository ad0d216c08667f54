//! The alerts on causes: few, since what users notice is what the objectives are for.

use super::rule::{AlertRule, RecordingRule, RuleGroup};

/// How full each resource of a node is, from 0 to 1.
const RESOURCES: &[(&str, &str)] = &[
    ("sockets", "t2b_connections / t2b_sockets_max"),
    ("outbound", "t2b_outbound_bytes / t2b_outbound_bytes_max"),
    (
        "memory",
        "(process_resident_memory_bytes + t2b_outbound_kernel_bytes) / t2b_memory_max_bytes",
    ),
    // Other programs have the metrics of the process too.
    (
        "files",
        "process_open_fds / process_max_fds and on (job, instance) t2b_connections",
    ),
    ("runtime", "t2b_runtime_busy_ratio"),
];

/// An alert on a cause.
struct CauseRow {
    name: &'static str,
    severity: &'static str,
    expr: &'static str,
    hold: &'static str,
    summary: &'static str,
    description: &'static str,
}

/// Every alert on a cause.
const CAUSES: &[CauseRow] = &[
    CauseRow {
        name: "T2bRedisDisconnected",
        severity: "page",
        expr: "t2b_redis_connected == 0",
        hold: "1m",
        summary: "{{ $labels.instance }} has no connection to Redis",
        description: "The node serves the tenants that it has in memory. Messages between nodes and changes of bots fail.",
    },
    CauseRow {
        name: "T2bNodeDegraded",
        severity: "page",
        expr: "t2b_degraded == 1",
        hold: "2m",
        summary: "{{ $labels.instance }} is degraded",
        description: "The shared store is down or slow for the node, or its subscription delivers nothing.",
    },
    CauseRow {
        name: "T2bNodeIsolated",
        severity: "page",
        expr: "t2b_isolated == 1",
        hold: "1m",
        summary: "{{ $labels.instance }} cannot reach the store, and gives its sockets to other nodes",
        description: "Most of the other nodes reach the store, or none of them answers this node.",
    },
    CauseRow {
        name: "T2bRedisFull",
        severity: "page",
        expr: "sum by (job) (increase(t2b_redis_full_total[5m])) > 0",
        hold: "1m",
        summary: "Redis has no memory left",
        description: "It refused {{ $value | humanize }} commands within 5 minutes. New connections and bots get quota_exceeded.",
    },
    CauseRow {
        name: "T2bStoreFull",
        severity: "page",
        expr: "increase(t2b_store_full_total[5m]) > 0",
        hold: "1m",
        summary: "{{ $labels.instance }} refuses requests to the store",
        description: "{{ $value | humanize }} requests within 5 minutes found their queue full. Users get store_unavailable.",
    },
    CauseRow {
        name: "T2bSaturation",
        severity: "ticket",
        expr: "t2b:saturation:ratio > 0.85",
        hold: "10m",
        summary: "{{ $labels.instance }} runs short of {{ $labels.resource }}",
        description: "{{ $value | humanizePercentage }} of {{ $labels.resource }} is in use.",
    },
    CauseRow {
        name: "T2bRuntimeLag",
        severity: "ticket",
        expr: "t2b_runtime_lag_seconds > 0.25",
        hold: "5m",
        summary: "{{ $labels.instance }} is late by up to {{ $value | humanizeDuration }}",
        description: "The node's 50 ms timer fires late: its threads are busy or the machine is.",
    },
    CauseRow {
        name: "T2bMemoryShed",
        severity: "ticket",
        expr: "sum by (job, instance, pool) (increase(t2b_shed_total[15m])) > 0",
        hold: "1m",
        summary: "{{ $labels.instance }} closes connections because memory runs short",
        description: "{{ $value | humanize }} connections were closed within 15 minutes for the pool {{ $labels.pool }}.",
    },
    CauseRow {
        name: "T2bNodeUnreachable",
        severity: "ticket",
        expr: "sum by (job, reason, node) (t2b_nodes_unreachable{node!=\"\"}) > 0",
        hold: "5m",
        summary: "{{ $labels.node }} cannot be reached by other nodes: {{ $labels.reason }}",
        description: "{{ $value }} nodes have no secret or no wire version in common with {{ $labels.node }}. Messages between them are refused.",
    },
    CauseRow {
        name: "T2bClockSkew",
        severity: "ticket",
        expr: "abs(t2b_clock_skew_seconds) > 5",
        hold: "5m",
        summary: "The clock of {{ $labels.instance }} differs from that of Redis",
        description: "The difference is {{ $value | humanizeDuration }}. Other nodes refuse tokens of this node.",
    },
    CauseRow {
        name: "T2bUsageUnflushed",
        severity: "page",
        // `usage_flush` may be 5 minutes.
        expr: "t2b_usage_unflushed_seconds > 360",
        hold: "1m",
        summary: "{{ $labels.instance }} has usage that is not booked for {{ $value | humanizeDuration }}",
        description: "The ledger closes an hour 10 minutes after its end. What comes later is booked into a later hour.",
    },
    CauseRow {
        name: "T2bUsageBookingsFail",
        severity: "ticket",
        expr: "sum by (job, instance) (rate(t2b_usage_flush_total{result=\"failed\"}[5m])) / sum by (job, instance) (rate(t2b_usage_flush_total[5m])) > 0.1",
        hold: "10m",
        summary: "The store does not answer {{ $labels.instance }} when it books usage",
        description: "{{ $value | humanizePercentage }} of the records of usage were not booked within 5 minutes. They are repeated.",
    },
    CauseRow {
        name: "T2bUsageLate",
        severity: "ticket",
        // A new node books journals before its first scrape: then the counter never rises.
        expr: "sum by (job, instance) (increase(t2b_usage_flush_total{result=\"late\"}[1h])) > 0 or sum by (job, instance) (t2b_usage_flush_total{result=\"late\"} unless t2b_usage_flush_total{result=\"late\"} offset 1h) > 0",
        hold: "1m",
        summary: "{{ $labels.instance }} booked usage of hours that are closed",
        description: "{{ $value | humanize }} records within an hour were booked into a later hour than their own. No usage is lost.",
    },
    CauseRow {
        name: "T2bUsageJournalFails",
        severity: "ticket",
        expr: "increase(t2b_usage_journal_failures_total[5m]) > 0",
        hold: "5m",
        summary: "{{ $labels.instance }} cannot write its journal of usage",
        description: "{{ $value | humanize }} writes within 5 minutes failed. If the node is killed now, what it has not booked is lost.",
    },
    CauseRow {
        name: "T2bTlsExpiry",
        severity: "ticket",
        expr: "t2b_tls_expiry_timestamp_seconds - time() < 14 * 86400",
        hold: "1h",
        summary: "The certificate of the {{ $labels.listener }} listener of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}",
        description: "Clients cannot connect once it has expired. The gateway reads the files again when they change.",
    },
];

/// What the alerts need recorded.
pub(super) fn recorded() -> RuleGroup {
    let recorded = RESOURCES.iter().map(|(resource, expr)| RecordingRule {
        record: "t2b:saturation:ratio".to_owned(),
        label: Some(("resource", resource)),
        expr: (*expr).to_owned(),
    });
    RuleGroup {
        name: "t2b-saturation",
        recorded: recorded.collect(),
        alerts: Vec::new(),
    }
}

/// The alerts.
pub(super) fn alerts() -> RuleGroup {
    let alerts = CAUSES.iter().map(|cause| AlertRule {
        name: cause.name,
        severity: cause.severity,
        labels: Vec::new(),
        expr: cause.expr.to_owned(),
        hold: cause.hold,
        summary: cause.summary.to_owned(),
        description: cause.description.to_owned(),
    });
    RuleGroup {
        name: "t2b-causes",
        recorded: Vec::new(),
        alerts: alerts.collect(),
    }
}
