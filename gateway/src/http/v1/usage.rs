//! What the caller's tenant used.

use axum::extract::{RawQuery, State};
use protocol::UsageHour;
use router_core::Capabilities;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::handler::{ApiRoutes, CallAnswer};
use crate::http::context::PublicContext;
use crate::http::extract::{HttpExchange, QueryMembers};
use crate::usage::{PageFormat, UsageReader, UsageWindow};

pub(super) fn routes() -> ApiRoutes {
    OpenApiRouter::new().routes(routes!(usage))
}

/// Lists what your account used, a row for each meter and period: the same rows as on the bill, up to ten
/// seconds old. Only an API key may.
#[utoipa::path(
    get,
    path = "/v1/usage",
    operation_id = "getUsage",
    tag = "usage",
    params(
        ("from" = Option<String>, Query, description = "A day like `2026-11-28`, or a whole hour like `2026-11-28T09:00:00Z`. Default: the first day of this month."),
        ("to" = Option<String>, Query, description = "The first day or hour after the range, at most 62 days after `from`. Default: the end of the present period."),
        ("step" = Option<String>, Query, description = "`hour` or `day`. Default: `hour`."),
        ("meter" = Option<String>, Query, description = "A meter. Default: all."),
        ("open" = Option<bool>, Query, description = "Whether rows that may still change are listed. Default: false."),
        ("limit" = Option<u32>, Query, description = "Most rows in the answer. Default: 1000.", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses(
        (status = 200, description = "A page of rows.", content_type = "application/json", body = ref("#/components/schemas/UsagePage")),
    ),
    security(("bearer" = [])),
)]
async fn usage(
    State(context): State<Arc<PublicContext>>,
    RawQuery(query): RawQuery,
    exchange: HttpExchange,
) -> CallAnswer {
    let node = &context.node;
    let (caller, _unread) = exchange.join(Capabilities::call(), None).await?;
    let tenant = caller.account()?;
    let members = QueryMembers::new(query.as_deref().unwrap_or_default());
    let window = UsageWindow::of_owner(&members, UsageHour::of(node.unix_ms()), tenant)?;
    let page = UsageReader::new(node).page(&window).await?;
    Ok(PageFormat::Json.answer(&page))
}
