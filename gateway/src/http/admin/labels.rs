//! The labels of a tenant: `GET` and `PUT /admin/v1/tenants/{id}/labels`.
//!
//! ```json
//! {"tenant": "alice", "labels": {"plan": "pro", "region": "eu-1"}}
//! ```
//!
//! PUT takes `{"labels": {…}}`, and replaces all labels.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use protocol::limits::{LABEL_BYTES_MAX, LABELS_MAX};
use protocol::{TenantId, TenantLabels};
use router_core::store::{LabelsQuery, LabelsReply, StoreReply};
use serde::Deserialize;
use serde_json::json;

use super::asking::StoreAccess;
use super::body::{decode, read_body};
use super::context::AdminContext;
use super::refusal::PlainRefusal;
use super::tenant_path::TenantPath;
use crate::http::answer::{json, not_found};

/// The largest body: all labels with every character escaped (`\u0000` is 6 bytes), and their quotes.
const BODY_BYTES_MAX: usize = LABELS_MAX * (6 * LABEL_BYTES_MAX + 16) + 1024;

/// What a body must be.
const SHAPE: &str = "the body must be {\"labels\":{NAME:TEXT,…}}";

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
    let body = read_body(&admin, body, BODY_BYTES_MAX).await?;
    let LabelsBody { labels } = decode(&body, &["labels"], SHAPE)?;
    ask(&admin, tenant, LabelsQuery::Put(labels)).await
}

/// What PUT takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelsBody {
    labels: TenantLabels,
}

async fn ask(
    admin: &AdminContext,
    tenant: TenantId,
    query: LabelsQuery,
) -> Result<Response, PlainRefusal> {
    let access = match query {
        LabelsQuery::Get => StoreAccess::Reads,
        LabelsQuery::Put(_) => StoreAccess::Writes,
    };
    let reply = access.ask(admin, &tenant, query, StoreReply::into_labels);
    let LabelsReply::Labels(labels) = reply.await?;
    if access == StoreAccess::Writes {
        tracing::info!(%tenant, "labels replaced");
    }
    let answer = json!({ "tenant": tenant, "labels": labels });
    Ok(json(StatusCode::OK, answer.to_string()))
}
