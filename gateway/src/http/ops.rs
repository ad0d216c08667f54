//! Probes and metrics, from the first moment of a start.
//!
//! | path | while the node starts | then |
//! | --- | --- | --- |
//! | `/healthz` | 200 | 200 |
//! | `/readyz` | 503 with what it waits for | 200, or 503 `degraded`, `isolated`, `draining` |
//! | `/metrics` | zeros, and what the process takes | the metrics of the node |
//! | `/metrics/tenants` | 404 | what each tenant used; 404 with `tenant_series_max` 0 |
//! | `/admin/v1/…` | 503 | see `admin/` |
//!
//! Probes take GET, HEAD and OPTIONS with any `Host`, because balancers use HTTP/1.0 without one. `OPTIONS /` is
//! answered like `/readyz`: haproxy sends it if its configuration names no path. Any other path needs a `Host` of ours (421). A request with an
//! `Origin` gets 403: no web page may use this listener.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use protocol::BootId;
use router_core::NodeView;
use router_core::membership::IsolationState;
use tower_http::compression::CompressionLayer;

use super::admin;
use super::admin::context::AdminContext;
use super::answer::{not_found, text, typed};
use super::layers::pages::no_pages;
use super::ops_context::OpsContext;
use crate::metrics::ScrapeFacts;

/// The media type of pages of metrics.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The router of probes and metrics.
pub(super) fn router(context: Arc<OpsContext>) -> Router {
    let metrics = metrics
        .layer(CompressionLayer::new())
        .layer(map_response(without_406));
    let tenants = metrics_of_tenants
        .layer(CompressionLayer::new())
        .layer(map_response(without_406));
    Router::new()
        .route("/healthz", any(other).get(healthz).options(healthz))
        .route("/readyz", any(other).get(readyz).options(readyz))
        .route("/metrics", any(other).get(metrics.clone()).options(metrics))
        .route("/metrics/tenants", any(other).get(tenants))
        .route("/", any(other).options(readyz))
        .fallback(other)
        .layer(from_fn(no_pages))
        .with_state(context)
}

/// Depends on nothing else: an unreachable store must not make supervisors restart every node.
async fn healthz() -> Response {
    text(StatusCode::OK, "ok\n")
}

/// Whether the node may take traffic.
async fn readyz(State(context): State<Arc<OpsContext>>) -> Response {
    let Some(AdminContext { node, settings, .. }) = context.serving() else {
        return context.starting();
    };
    let reason = if node.is_draining() {
        "draining\n"
    } else if node.isolation() == IsolationState::CutOff {
        // Not if nobody answers: then the store may be down for all, and all nodes would leave the balancer at once.
        "isolated\n"
    } else if !node.is_ready(settings.load().ready_when_degraded) {
        "degraded\n"
    } else {
        return text(StatusCode::OK, "ready\n");
    };
    text(StatusCode::SERVICE_UNAVAILABLE, reason)
}

async fn metrics(State(context): State<Arc<OpsContext>>) -> Response {
    let metrics = match context.serving() {
        None => context.metrics.render(&ScrapeFacts {
            nodes: &NodeView::starting(BootId::from_bits(0)),
            lanes: &[],
            redis_connected: None,
        }),
        Some(admin) => admin.node.render_metrics(),
    };
    typed(StatusCode::OK, PROMETHEUS, metrics)
}

/// What each tenant used: apart from `/metrics`, so that not every scrape has it.
async fn metrics_of_tenants(State(context): State<Arc<OpsContext>>) -> Response {
    let page = context
        .serving()
        .and_then(|admin| admin.node.render_tenants());
    match page {
        Some(page) => typed(StatusCode::OK, PROMETHEUS, page),
        None => not_found().await,
    }
}

/// The compression layer answers 406, with the whole page, if the request accepts no encoding. A scrape must not fail for that.
async fn without_406(mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_ACCEPTABLE {
        *response.status_mut() = StatusCode::OK;
    }
    response
}

/// Answers a request that is no probe: 503 below `/admin/v1/` while the node starts, else 404.
async fn other(State(context): State<Arc<OpsContext>>, request: Request) -> Response {
    let is_called = context.is_called_by(request.uri(), request.headers());
    match admin::has(request.uri().path()) {
        _ if !is_called => text(StatusCode::MISDIRECTED_REQUEST, ""),
        true => context.starting(),
        false => not_found().await,
    }
}
