//! The labels of a tenant: `GET` and `PUT /admin/v1/tenants/{id}/labels`.
//!
//! ```json
//! {"tenant": "alice", "labels": {"plan": "pro", "region": "eu-1"}}
//! ```
//!
//! PUT takes `{"labels": {…}}`, and replaces all labels.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::StatusCode;
use protocol::limits::{LABEL_BYTES_MAX, LABELS_MAX};
use protocol::{ErrorCode, TenantId, TenantLabels};
use router_core::store::{LabelsQuery, LabelsReply, StoreFailure, StoreReply, StoreRequest};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::context::AdminContext;
use crate::http::answer::{json, not_found};

/// The largest body: all labels with every character escaped (`\u0000` is 6 bytes), and their quotes.
const BODY_BYTES_MAX: usize = LABELS_MAX * (6 * LABEL_BYTES_MAX + 16) + 1024;

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route(
        "/admin/v1/tenants/{id}/labels",
        any(not_found).get(show).put(replace),
    )
}

async fn show(State(admin): State<Arc<AdminContext>>, Path(tenant): Path<String>) -> Response {
    match TenantId::parse(&tenant) {
        Ok(tenant) => ask(&admin, tenant, LabelsQuery::Get).await,
        Err(_) => bad_request("not a valid tenant id"),
    }
}

/// What PUT takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelsBody {
    labels: TenantLabels,
}

async fn replace(
    State(admin): State<Arc<AdminContext>>,
    Path(tenant): Path<String>,
    body: Body,
) -> Response {
    let Ok(tenant) = TenantId::parse(&tenant) else {
        return bad_request("not a valid tenant id");
    };
    let pace = Duration::from_millis(admin.node.settings.handshake_timeout_ms);
    let body = match timeout(pace, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return bad_request("the body is too large or broken off"),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the body did not come\n").into_response(),
    };
    match serde_json::from_slice(&body) {
        Ok(LabelsBody { labels }) => ask(&admin, tenant, LabelsQuery::Put(labels)).await,
        Err(error) => bad_request(&error.to_string()),
    }
}

async fn ask(admin: &AdminContext, tenant: TenantId, query: LabelsQuery) -> Response {
    let is_put = matches!(query, LabelsQuery::Put(_));
    let request = StoreRequest {
        tenant: tenant.clone(),
        now_ms: admin.node.unix_ms(),
        query: query.into(),
    };
    let reply = admin.node.backplane.execute(request).await;
    match reply.and_then(StoreReply::into_labels) {
        Ok(LabelsReply::Labels(labels)) => {
            if is_put {
                tracing::info!(%tenant, "labels replaced");
            }
            let answer = json!({ "tenant": tenant, "labels": labels });
            json(StatusCode::OK, answer.to_string())
        }
        Err(failure) => unavailable(failure, is_put),
    }
}

/// What a failure means for a request that puts labels, or asks for them.
fn unavailable(failure: StoreFailure, is_put: bool) -> Response {
    let (status, text) = match failure {
        StoreFailure::Refused(ErrorCode::QuotaExceeded) => {
            (StatusCode::INSUFFICIENT_STORAGE, "the store is full\n")
        }
        StoreFailure::Refused(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store did not take it\n",
        ),
        StoreFailure::Lost if is_put => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store did not answer: it may have taken it\n",
        ),
        StoreFailure::Lost => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store gave no answer that could be read\n",
        ),
    };
    (status, text).into_response()
}

fn bad_request(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}
