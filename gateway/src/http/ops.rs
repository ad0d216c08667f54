//! Probes and metrics.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;

use super::{body, text};
use crate::node::Node;

/// The process lives. Nothing else is asked: a store that is away must not kill all nodes.
pub(super) fn healthz() -> Response<Full<Bytes>> {
    text(StatusCode::OK, "ok\n")
}

/// It may take traffic.
pub(super) fn readyz(node: &Node, ready_when_degraded: bool) -> Response<Full<Bytes>> {
    match (node.is_draining(), node.is_ready(ready_when_degraded)) {
        (false, true) => text(StatusCode::OK, "ready\n"),
        (false, false) => text(StatusCode::SERVICE_UNAVAILABLE, "degraded\n"),
        (true, _) => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

/// The metrics of this node, as Prometheus reads them.
pub(super) fn metrics(node: &Node) -> Response<Full<Bytes>> {
    body(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        node.render_metrics(),
    )
}
