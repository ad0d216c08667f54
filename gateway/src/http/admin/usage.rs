//! `GET /admin/v1/usage`: the usage of tenants, a row for each tenant, meter and period.
//!
//! ```json
//! {"as_of": "2026-11-28T10:20:00.000Z", "closed_until": "2026-11-28T10:00:00Z", "rows": [
//!   {"id": "t2b:alice:messages_accepted:2026112809", "tenant": "alice", "meter": "messages_accepted",
//!    "from": "2026-11-28T09:00:00Z", "to": "2026-11-28T10:00:00Z", "value": 12, "closed": true}],
//!  "next_cursor": "…"}
//! ```
//!
//! `GET /admin/v1/usage/check` checks the hours of a range:
//!
//! ```json
//! {"hours": 24, "faults": [{"tenant": "alice", "hour": "2026-11-28T09:00:00Z", "what": "…"}]}
//! ```
//!
//! A fault without a tenant is about all of them.
//!
//! `Accept: application/x-ndjson` gives a row a line, and `text/csv` a table; then the headers `T2b-As-Of`,
//! `T2b-Closed-Until` and `T2b-Next-Cursor` have the rest.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::any;
use http::{HeaderMap, StatusCode};
use protocol::{ErrorCode, UsageHour};

use super::context::AdminContext;
use crate::http::answer::{json, not_found};
use crate::http::extract::QueryMembers;
use crate::http::problem::ProblemResponse;
use crate::usage::{PageFormat, UsageReader, UsageWindow};

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new()
        .route("/admin/v1/usage", any(not_found).get(page))
        .route("/admin/v1/usage/check", any(not_found).get(check))
}

async fn page(
    State(admin): State<Arc<AdminContext>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let node = &admin.node;
    let members = QueryMembers::new(query.as_deref().unwrap_or_default());
    let window = UsageWindow::of_operator(&members, UsageHour::of(node.unix_ms()))?;
    let page = UsageReader::new(node).page(&window).await?;
    Ok(PageFormat::of(&headers).answer(&page))
}

async fn check(
    State(admin): State<Arc<AdminContext>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ProblemResponse> {
    let node = &admin.node;
    let members = QueryMembers::new(query.as_deref().unwrap_or_default());
    let window = UsageWindow::of_check(&members, UsageHour::of(node.unix_ms()))?;
    let page = UsageReader::new(node).check(node, &window).await?;
    let page = serde_json::to_vec(&page).map_err(|_| ErrorCode::Internal)?;
    Ok(json(StatusCode::OK, page))
}
