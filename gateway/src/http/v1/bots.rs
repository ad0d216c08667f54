//! Which bots there are.

use http::StatusCode;
use protocol::http::bot_page;
use protocol::limits::LIST_MAX;
use protocol::presence::ListBots;
use protocol::{ErrorCode, Refusal, Rule};
use router_core::Capabilities;
use router_core::session::CallRequest;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::handler::{ApiRoutes, CallAnswer, json_of};
use crate::http::answer::json;
use crate::http::extract::{CheckedQuery, FromQuery, HttpExchange, PathId, QueryMembers};

pub(super) fn routes() -> ApiRoutes {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(find))
}

impl FromQuery for ListBots {
    fn from_query(query: &QueryMembers<'_>) -> Result<Self, Refusal> {
        let limit: Option<u32> = query.number(Rule::Limit)?;
        if limit.is_some_and(|limit| !(1..=LIST_MAX).contains(&limit)) {
            return Err(Refusal::over(ErrorCode::BadRequest, Rule::Limit));
        }
        Ok(Self {
            limit,
            cursor: query.text("cursor"),
            request_id: None,
        })
    }
}

/// Lists the bots that the credential may see, in id order.
#[utoipa::path(
    get,
    path = "/v1/bots",
    operation_id = "listBots",
    tag = "bots",
    params(
        ("limit" = Option<u32>, Query, description = "Most bots in the answer. Default: 100.", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before.", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$"),
    ),
    responses(
        (status = 200, description = "A page of bots.", content_type = "application/json", body = ref("#/components/schemas/BotPage")),
    ),
    security(("bearer" = [])),
)]
async fn list(CheckedQuery(list): CheckedQuery<ListBots>, exchange: HttpExchange) -> CallAnswer {
    let (mut caller, _unread) = exchange.join(Capabilities::call(), None).await?;
    let page = caller.bots(CallRequest::List(list)).await?;
    Ok(json(StatusCode::OK, bot_page(&page)))
}

/// Says of one bot what the list says of it. A bot that is out of sight does not exist.
#[utoipa::path(
    get,
    path = "/v1/bots/{id}",
    operation_id = "getBot",
    tag = "bots",
    params(("id" = String, Path, description = "The bot.", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$")),
    responses(
        (status = 200, description = "The bot.", content_type = "application/json", body = ref("#/components/schemas/BotInfo")),
    ),
    security(("bearer" = [])),
)]
async fn find(PathId(id): PathId, exchange: HttpExchange) -> CallAnswer {
    let (mut caller, _unread) = exchange.join(Capabilities::call(), None).await?;
    let found = caller.bots(CallRequest::Find(id)).await?;
    let bot = found.bots.first().ok_or(ErrorCode::Internal)?;
    json_of(StatusCode::OK, &***bot)
}
