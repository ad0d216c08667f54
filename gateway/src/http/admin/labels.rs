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
use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use protocol::limits::{LABEL_BYTES_MAX, LABELS_MAX};
use protocol::{ErrorCode, TenantId, TenantLabels};
use router_core::store::{LabelsQuery, LabelsReply, StoreFailure, StoreReply, StoreRequest};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::context::AdminContext;
use super::refusal::PlainRefusal;
use super::tenant_path::TenantPath;
use crate::http::answer::{json, not_found};

/// The largest body: all labels with every character escaped (`\u0000` is 6 bytes), and their quotes.
const BODY_BYTES_MAX: usize = LABELS_MAX * (6 * LABEL_BYTES_MAX + 16) + 1024;

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route(
        "/admin/v1/tenants/{id}/labels",
        any(not_found).get(show).put(replace),
    )
}

async fn show(
    State(admin): State<Arc<AdminContext>>,
    TenantPath(tenant): TenantPath,
) -> Result<Response, PlainRefusal> {
    ask(&admin, tenant, LabelsQuery::Get).await
}

async fn replace(
    State(admin): State<Arc<AdminContext>>,
    TenantPath(tenant): TenantPath,
    body: Body,
) -> Result<Response, PlainRefusal> {
    let labels = read(&read_body(&admin, body).await?)?;
    ask(&admin, tenant, LabelsQuery::Put(labels)).await
}

async fn read_body(admin: &AdminContext, body: Body) -> Result<Bytes, PlainRefusal> {
    let bad = || PlainRefusal::bad_request("the body is too large or broken off");
    // Do not wait for a body whose Content-Length is too large.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(bad());
    }
    let pace = Duration::from_millis(admin.node.settings.handshake_timeout_ms);
    match timeout(pace, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(body) => body.map_err(|_| bad()),
        Err(_) => Err(PlainRefusal(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come".into(),
        )),
    }
}

/// What PUT takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelsBody {
    labels: TenantLabels,
}

/// The labels of a body. Errors: the rule that it breaks; nothing of the body but names of labels is repeated.
fn read(body: &[u8]) -> Result<TenantLabels, PlainRefusal> {
    let wrong = "the body must be {\"labels\":{NAME:TEXT,…}}";
    // Serde also accepts a list for a struct.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(PlainRefusal::bad_request(wrong));
    }
    match serde_json::from_slice(body) {
        Ok(LabelsBody { labels }) => Ok(labels),
        Err(error) => {
            let text = error.to_string();
            // The text of a `LabelError` begins with `labels`; serde_json adds the position.
            let (rule, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
            let text = match rule.starts_with("labels") {
                true => rule.to_owned(),
                false => wrong.to_owned(),
            };
            Err(PlainRefusal::bad_request(text))
        }
    }
}

async fn ask(
    admin: &AdminContext,
    tenant: TenantId,
    query: LabelsQuery,
) -> Result<Response, PlainRefusal> {
    let is_put = matches!(query, LabelsQuery::Put(_));
    let request = StoreRequest {
        tenant: tenant.clone(),
        now_ms: admin.node.unix_ms(),
        query: query.into(),
    };
    let reply = admin.node.backplane.execute(request).await;
    let LabelsReply::Labels(labels) = reply
        .and_then(StoreReply::into_labels)
        .map_err(|failure| unavailable(failure, is_put))?;
    if is_put {
        tracing::info!(%tenant, "labels replaced");
    }
    let answer = json!({ "tenant": tenant, "labels": labels });
    Ok(json(StatusCode::OK, answer.to_string()))
}

/// What a failure means for a request that puts labels, or asks for them.
fn unavailable(failure: StoreFailure, is_put: bool) -> PlainRefusal {
    let (status, text) = match failure {
        StoreFailure::Refused(ErrorCode::QuotaExceeded) => {
            (StatusCode::INSUFFICIENT_STORAGE, "the store is full")
        }
        StoreFailure::Refused(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store is not available",
        ),
        StoreFailure::Lost if is_put => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store did not answer: it may have taken it",
        ),
        StoreFailure::Lost => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store gave no answer that could be read",
        ),
    };
    PlainRefusal(status, text.into())
}
