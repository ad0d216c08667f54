//! One tenant: what it sends, what it receives, and what of it is refused.

use super::super::panel::PanelUnit::{Bytes, BytesPerSecond, Count, PerSecond, Ratio};
use super::super::panel::{DashboardTable, PanelChoice, panel};

pub(super) const TENANT: DashboardTable = DashboardTable {
    path: "deploy/grafana/tenant.json",
    uid: "t2b-tenant",
    title: "T2B / Tenant",
    shows: "What one tenant does: its messages, refusals, bytes and connections.",
    choice: Some(PanelChoice {
        label: "tenant",
        metric: "t2b_tenant_http_requests_total",
        many: false,
    }),
    panels: &[
        panel(
            "Messages",
            PerSecond,
            "Messages that the tenant sent, by outcome. The four classes of refusals say who can do something about them.",
            &[(
                "sum by (outcome) (rate(t2b_tenant_messages_total{tenant=\"$tenant\"}[$__rate_interval]))",
                "{{outcome}}",
            )],
        ),
        panel(
            "Refused messages",
            Ratio,
            "Share of the messages that were refused, by class.",
            &[(
                "sum by (class) (rate(t2b_tenant_refusals_total{tenant=\"$tenant\"}[$__rate_interval])) / scalar(sum(rate(t2b_tenant_messages_total{tenant=\"$tenant\"}[$__rate_interval])))",
                "{{class}}",
            )],
        ),
        panel(
            "Copies delivered",
            PerSecond,
            "Copies of messages, partials and typing that were put into queues of connections. Each device of a client id is a copy of its own.",
            &[(
                "sum by (kind) (rate(t2b_tenant_deliveries_total{tenant=\"$tenant\"}[$__rate_interval]))",
                "{{kind}}",
            )],
        ),
        panel(
            "Bytes",
            BytesPerSecond,
            "Bytes of text frames on the sockets of the tenant.",
            &[(
                "sum by (direction) (rate(t2b_tenant_bytes_total{tenant=\"$tenant\"}[$__rate_interval]))",
                "{{direction}}",
            )],
        ),
        panel(
            "Open sockets",
            Count,
            "Sockets that hold a bot, and the others.",
            &[(
                "sum by (kind) (t2b_tenant_connections{tenant=\"$tenant\"})",
                "{{kind}}",
            )],
        ),
        panel(
            "Open sockets, as they are billed",
            Count,
            "Time for which sockets are open, in seconds a second: what the meters connection_seconds_bot and connection_seconds_client add up.",
            &[(
                "sum by (kind) (rate(t2b_tenant_connection_seconds_total{tenant=\"$tenant\"}[$__rate_interval]))",
                "{{kind}}",
            )],
        ),
        panel(
            "HTTP requests",
            PerSecond,
            "Requests to the HTTP API with a valid credential, whatever the answer is.",
            &[(
                "sum(rate(t2b_tenant_http_requests_total{tenant=\"$tenant\"}[$__rate_interval]))",
                "requests",
            )],
        ),
        panel(
            "Share of all messages",
            Ratio,
            "Share of this tenant in the messages of all tenants.",
            &[(
                "sum(rate(t2b_tenant_messages_total{tenant=\"$tenant\"}[$__rate_interval])) / sum(rate(t2b_tenant_messages_total[$__rate_interval]))",
                "messages",
            )],
        ),
        panel(
            "Share of all bytes",
            Ratio,
            "Share of this tenant in the bytes of all tenants.",
            &[(
                "sum by (direction) (rate(t2b_tenant_bytes_total{tenant=\"$tenant\"}[$__rate_interval])) / sum by (direction) (rate(t2b_tenant_bytes_total[$__rate_interval]))",
                "{{direction}}",
            )],
        ),
        panel(
            "Messages by node",
            PerSecond,
            "Messages that the tenant sent, by the node that its senders are connected to.",
            &[(
                "sum by (instance) (rate(t2b_tenant_messages_total{tenant=\"$tenant\"}[$__rate_interval]))",
                "{{instance}}",
            )],
        ),
        panel(
            "Open sockets by node",
            Count,
            "Sockets of the tenant, by node.",
            &[(
                "sum by (instance) (t2b_tenant_connections{tenant=\"$tenant\"})",
                "{{instance}}",
            )],
        ),
        panel(
            "Bytes a message",
            Bytes,
            "Bytes that the tenant sends for each of its messages: partials, acks and registrations are part of them.",
            &[(
                "sum(rate(t2b_tenant_bytes_total{tenant=\"$tenant\", direction=\"in\"}[$__rate_interval])) / sum(rate(t2b_tenant_messages_total{tenant=\"$tenant\"}[$__rate_interval]))",
                "in",
            )],
        ),
    ],
};
