//! `GET /admin/v1/tenants`: the tenants that used something or that an operator changed, and those of the
//! configuration.
//!
//! ```json
//! {"tenants": [{"tenant": "alice", "last_used": "2026-11-30T00:00:00Z", "plan": "pro", "suspended": false,
//!   "generation": 0}], "next": null}
//! ```
//!
//! `limit`: tenants on a page, 1 to 1,000, 100 without it. `after`: the `next` of the page before. The order is
//! the same for good, and not that of the ids.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use protocol::{TenantId, UsageHour};
use router_core::store::tenants::{ListedTenant, TenantPart};
use router_core::store::{PolicyQuery, PolicyReply, StoreReply};
use serde_json::{Value, json};

use super::asking::StoreAccess;
use super::context::AdminContext;
use super::page_query::PageQuery;
use super::refusal::PlainRefusal;
use crate::http::answer::{json, not_found};

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route("/admin/v1/tenants", any(not_found).get(page))
}

async fn page(
    State(admin): State<Arc<AdminContext>>,
    RawQuery(query): RawQuery,
) -> Result<Response, PlainRefusal> {
    let PageQuery { after, limit } = PageQuery::of(query.as_deref().unwrap_or_default())?;
    let (listed, next) = gather(&admin, after.as_ref(), limit).await?;
    let mut tenants = Vec::with_capacity(listed.len());
    for listed in &listed {
        tenants.push(row(&admin, listed).await?);
    }
    let page = json!({ "tenants": tenants, "next": next });
    Ok(json(StatusCode::OK, page.to_string()))
}

/// As many tenants as fit a page, and the last one if there may be more.
async fn gather(
    admin: &AdminContext,
    after: Option<&TenantId>,
    limit: usize,
) -> Result<(Vec<ListedTenant>, Option<TenantId>), PlainRefusal> {
    let first = after.map_or(0, |after| TenantPart::of(after).number());
    let mut listed: Vec<ListedTenant> = Vec::new();
    for part in (first..).map_while(TenantPart::from_number) {
        let of_part = part_of(admin, part).await?.into_iter();
        let is_after = |it: &ListedTenant| {
            part.number() > first || after.is_none_or(|after| it.tenant > *after)
        };
        listed.extend(of_part.filter(is_after));
        if listed.len() > limit {
            listed.truncate(limit);
            let last = listed.last().map(|last| last.tenant.clone());
            return Ok((listed, last));
        }
    }
    Ok((listed, None))
}

/// The tenants of a part, in order, with those of the configuration.
async fn part_of(
    admin: &AdminContext,
    part: TenantPart,
) -> Result<Vec<ListedTenant>, PlainRefusal> {
    let listed = admin.node.backplane.tenants(part).await;
    let mut listed = listed.map_err(|failure| StoreAccess::Reads.failed(failure))?;
    let settings = admin.node.settings();
    let of_file = settings.tenants.keys();
    for tenant in of_file.filter(|tenant| TenantPart::of(tenant) == part) {
        let place = listed.binary_search_by(|it| it.tenant.cmp(tenant));
        if let Err(place) = place {
            let tenant = tenant.clone();
            let last_used = None;
            listed.insert(place, ListedTenant { tenant, last_used });
        }
    }
    Ok(listed)
}

async fn row(admin: &AdminContext, listed: &ListedTenant) -> Result<Value, PlainRefusal> {
    let ListedTenant { tenant, last_used } = listed;
    let policy = StoreAccess::Reads.ask(admin, tenant, PolicyQuery::Read, StoreReply::into_policy);
    let PolicyReply::Changed(policy) = policy.await?;
    let settings = admin.node.settings();
    let (file_generation, file_suspended) = settings.policy_of(tenant);
    Ok(json!({
        "tenant": tenant,
        "last_used": last_used.map(UsageHour::rfc3339),
        "plan": settings.plan_of(tenant, policy.assigned.as_deref()),
        "suspended": policy.suspended || file_suspended,
        "generation": policy.generation.max(file_generation),
    }))
}
