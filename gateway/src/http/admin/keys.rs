//! `GET /admin/v1/keys/using-old`: whose open sockets a secret other than the first verified.
//!
//! ```json
//! {"connections": {"first": 12, "other": 3}, "tenants": [{"tenant": "alice", "connections": 3}], "next": null}
//! ```
//!
//! `limit`: tenants on a page, 1 to 1,000, 100 without it. `after`: the `next` of the page before.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use protocol::TenantId;
use serde_json::json;

use crate::http::{json, text};
use crate::node::{Node, UsingOld};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// A page of them.
pub(super) fn using_old(node: &Node, query: Option<&str>) -> Response<Full<Bytes>> {
    let (mut after, mut limit) = (None, LIMIT_DEFAULT);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "after" => match TenantId::parse(&value) {
                Ok(tenant) => after = Some(tenant),
                Err(_) => return text(StatusCode::BAD_REQUEST, "after: not a valid tenant id\n"),
            },
            "limit" => match value.parse() {
                Ok(asked) if (1..=LIMIT_MAX).contains(&asked) => limit = asked,
                Ok(_) | Err(_) => {
                    return text(
                        StatusCode::BAD_REQUEST,
                        "limit: not a number from 1 to 1000\n",
                    );
                }
            },
            _ => {
                return text(
                    StatusCode::BAD_REQUEST,
                    "only after and limit may be given\n",
                );
            }
        }
    }
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
    json(StatusCode::OK, &page)
}
