//! `GET /admin/v1/status`: what the node is and holds.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use serde_json::json;

use super::context::AdminContext;
use crate::http::answer::{json, not_found};

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route("/admin/v1/status", any(not_found).get(status))
}

async fn status(State(admin): State<Arc<AdminContext>>) -> Response {
    let node = &admin.node;
    let store = match node.view().shared {
        true => json!({ "kind": "redis" }),
        false => {
            let (bytes, bytes_max) = node.backplane.bytes();
            json!({ "kind": "memory", "bytes": bytes, "bytes_max": bytes_max })
        }
    };
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_ms": node.uptime_ms(),
        "connections": node.connections(),
        "tenants": node.tenants(),
        "draining": node.is_draining(),
        "drain": super::drain::facts(node),
        "store": store,
    });
    json(StatusCode::OK, status.to_string())
}
