//! Makes client tokens, for phones and browsers that must not hold the key.

use http::StatusCode;
use protocol::http::decode_token_request;
use router_core::Capabilities;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::handler::{ApiRoutes, CallAnswer, json_of};
use crate::http::extract::HttpExchange;

pub(super) fn routes() -> ApiRoutes {
    OpenApiRouter::new().routes(routes!(issue))
}

/// Makes a client token. Only an API key may; a revoke of the key voids its tokens too.
#[utoipa::path(
    post,
    path = "/v1/tokens",
    operation_id = "issueToken",
    tag = "tokens",
    request_body(content = ref("#/components/schemas/TokenRequest"), content_type = "application/json"),
    responses(
        (status = 201, description = "The token.", content_type = "application/json", body = ref("#/components/schemas/TokenIssued")),
    ),
    security(("bearer" = [])),
)]
async fn issue(exchange: HttpExchange) -> CallAnswer {
    let (caller, body) = exchange.join(Capabilities::call(), None).await?;
    let body = body.json(&caller.limits).await?;
    let asked = decode_token_request(&body)?;
    json_of(StatusCode::CREATED, &caller.issue(asked)?)
}
