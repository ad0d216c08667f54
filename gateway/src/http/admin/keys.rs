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
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::StatusCode;
use protocol::TenantId;
use serde_json::json;

use super::context::AdminContext;
use crate::http::answer::{json, not_found};
use crate::node::UsingOld;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route("/admin/v1/keys/using-old", any(not_found).get(using_old))
}

async fn using_old(State(admin): State<Arc<AdminContext>>, RawQuery(query): RawQuery) -> Response {
    let PageQuery { after, limit } = match PageQuery::of(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
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
    json(StatusCode::OK, page.to_string())
}

/// Which page is asked for.
struct PageQuery {
    after: Option<TenantId>,
    limit: usize,
}

impl PageQuery {
    /// Errors: a sentence about the member that is wrong.
    fn of(query: &str) -> Result<Self, &'static str> {
        let (mut after, mut limit) = (None, LIMIT_DEFAULT);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "after" => match TenantId::parse(&value) {
                    Ok(tenant) => after = Some(tenant),
                    Err(_) => return Err("after: not a valid tenant id\n"),
                },
                "limit" => match value.parse() {
                    Ok(asked) if (1..=LIMIT_MAX).contains(&asked) => limit = asked,
                    Ok(_) | Err(_) => return Err("limit: not a number from 1 to 1000\n"),
                },
                _ => return Err("only after and limit may be given\n"),
            }
        }
        Ok(Self { after, limit })
    }
}
