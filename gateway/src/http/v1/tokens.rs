//! Makes client tokens, for phones and browsers that must not hold the key.

use http::StatusCode;
use protocol::http::decode_token_request;
use router_core::Capabilities;

use super::{Answer, json_of};
use crate::http::extract::Exchange;

/// Makes a client token. Only an API key may; a revoke of the key voids its tokens too.
#[cfg_attr(feature = "generate", utoipa::path(
    post,
    path = "/v1/tokens",
    operation_id = "issueToken",
    tag = "tokens",
    request_body(content = ref("#/components/schemas/TokenRequest"), content_type = "application/json"),
    responses(
        (status = 201, description = "The token.", content_type = "application/json", body = ref("#/components/schemas/TokenIssued")),
    ),
    security(("bearer" = [])),
))]
pub(in crate::http) async fn issue(exchange: Exchange<'_>) -> Answer {
    let caller = exchange.join(Capabilities::call(), None).await?;
    let body = exchange.json_body(&caller.limits).await?;
    let asked = decode_token_request(&body)?;
    json_of(StatusCode::CREATED, &caller.issue(asked)?)
}
