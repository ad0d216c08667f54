//! `GET /admin/v1/keys/using-old`: whose open sockets a secret other than the first verified.
//!
//! ```json
//! {"connections": {"first": 12, "other": 3}, "tenants": [{"tenant": "alice", "connections": 3}], "next": null}
//! ```
//!
//! `limit`: tenants on a page, 1 to 1,000, 100 without it. `after`: the `next` of the page before.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use serde_json::json;

use super::context::AdminContext;
use super::page_query::PageQuery;
use super::refusal::PlainRefusal;
use crate::http::answer::{json, not_found};
use crate::node::UsingOld;

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route("/admin/v1/keys/using-old", any(not_found).get(using_old))
}

async fn using_old(
    State(admin): State<Arc<AdminContext>>,
    RawQuery(query): RawQuery,
) -> Result<Response, PlainRefusal> {
    let PageQuery { after, limit } = PageQuery::of(query.as_deref().unwrap_or_default())?;
    let node = &admin.node;
    let UsingOld { tenants, more } = node.using_old(after.as_ref(), limit);
    let next = tenants.last_key_value().filter(|_| more);
    let next = next.map(|(tenant, _)| tenant.clone());
    let tenants = tenants
        .iter()
        .map(|(tenant, connections)| json!({ "tenant": tenant, "connections": connections }));
    let tenants: Vec<_> = tenants.collect();
    let [first, other] = node.sockets_by_secret();
    let page = json!({
        "connections": { "first": first, "other": other },
        "tenants": tenants,
        "next": next,
    });
    Ok(json(StatusCode::OK, page.to_string()))
}
