//! Sends a message, and waits for its reply if that is wanted.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use protocol::http::decode_message;
use protocol::limits::WAIT_MS_MAX;
use protocol::message::{AckStatus, Send};
use protocol::{ClientId, ErrorCode, MessageId, Refusal, Rule};
use router_core::Capabilities;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::handler::{ApiRoutes, CallAnswer};
use crate::http::answer::json;
use crate::http::body::UnreadBody;
use crate::http::extract::{CheckedQuery, FromQuery, HttpExchange, QueryMembers};
use crate::http::headers::single_header;
use crate::http::problem::ProblemResponse;
use crate::ws::ReadLimits;

pub(super) fn routes() -> ApiRoutes {
    OpenApiRouter::new().routes(routes!(send))
}

/// The query of a message.
struct MessageQuery {
    /// How long to wait for the reply; none: not at all.
    wait: Option<Duration>,
    client: Option<String>,
}

impl FromQuery for MessageQuery {
    fn from_query(query: &QueryMembers<'_>) -> Result<Self, Refusal> {
        let wait_ms: Option<u64> = query.number(Rule::WaitMs)?;
        if wait_ms.is_some_and(|wait_ms| wait_ms > WAIT_MS_MAX) {
            return Err(Refusal::over(ErrorCode::BadRequest, Rule::WaitMs));
        }
        Ok(Self {
            wait: wait_ms.map(Duration::from_millis),
            client: query.text("clientId"),
        })
    }
}

/// The message's id as the header `Idempotency-Key` has it.
struct IdempotencyKey(Option<MessageId>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ProblemResponse;

    /// Errors: `invalid_id` if it is no message id, `bad_request` if there are two.
    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, ProblemResponse> {
        let over = |code| Refusal::over(code, Rule::IdempotencyKey);
        let key = single_header(&head.headers, Rule::IdempotencyKey.field()).map_err(over)?;
        let key = key.map(MessageId::parse).transpose();
        Ok(Self(key.map_err(|_| over(ErrorCode::InvalidId))?))
    }
}

/// Sends a message: the body is the `data` of a `message` frame, passed on as it is.
///
/// The sender is the credential's client id. With `waitMs` the answer waits for the reply: the
/// first message of whom it was sent to that has its id as `replyTo`, or is addressed to the
/// connection that the recipient sees; of a reply in `parts` all, their texts joined.
#[utoipa::path(
    post,
    path = "/v1/messages",
    operation_id = "sendMessage",
    tag = "messages",
    params(
        ("waitMs" = Option<u64>, Query, description = "How long to wait for the reply, milliseconds.", minimum = 0, maximum = 50000),
        ("clientId" = Option<String>, Query, description = "Who sends. Default: `client_<userId>`; a token's own client id wins.", pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The message's id, if the body has none; else it must be the same.", pattern = "^[A-Za-z0-9._:-]{1,64}$"),
    ),
    request_body(content = ref("#/components/schemas/SendMessage"), content_type = "application/json"),
    responses(
        (status = 200, description = "The message and its reply.", content_type = "application/json", body = ref("#/components/schemas/MessageAnswer")),
        (status = 202, description = "The message; with `waitMs`, no reply came in time: `reply` is null.", content_type = "application/json", body = ref("#/components/schemas/MessageAnswer")),
    ),
    security(("bearer" = [])),
)]
async fn send(
    CheckedQuery(query): CheckedQuery<MessageQuery>,
    IdempotencyKey(key): IdempotencyKey,
    exchange: HttpExchange,
) -> CallAnswer {
    let capabilities = match query.wait {
        None => Capabilities::call(),
        Some(_) => Capabilities::waiting_call(),
    };
    let input_ended = exchange.input_ended();
    // A client id that is not valid is refused once the request has joined, so that it counts.
    let is_id = |client: &String| ClientId::parse(client).is_ok();
    let has_wrong_id = query.client.as_ref().is_some_and(|client| !is_id(client));
    let client = query.client.filter(is_id);
    let (mut caller, body) = exchange.join(capabilities, client).await?;
    if has_wrong_id {
        return Err(Refusal::over(ErrorCode::InvalidId, Rule::ClientId).into());
    }
    let send = read(body, &caller.limits, key).await?;
    let (message_id, status) = caller.send(send).await?;
    let Some(wait) = query.wait else {
        return Ok(answer(StatusCode::ACCEPTED, &message_id, status, None));
    };
    // A peer that has ended its sending side may be gone, which only a write would show. Its message is
    // acknowledged, and the wait ends, so that the reply goes to the sockets of its client id.
    let reply = tokio::select! {
        reply = caller.reply(wait) => reply?,
        () = input_ended => None,
    };
    let code = match reply {
        Some(_) => StatusCode::OK,
        None => StatusCode::ACCEPTED,
    };
    let reply = reply.unwrap_or(Bytes::from_static(b"null"));
    Ok(answer(code, &message_id, status, Some(&reply)))
}

/// Reads the message. The body's buffer is freed with it and not held for a wait, which may be long.
async fn read(
    body: UnreadBody,
    limits: &ReadLimits,
    key: Option<MessageId>,
) -> Result<Send, Refusal> {
    let body = body.json(limits).await?;
    let mut send = decode_message(&body)?;
    let message_id = &mut send.message.message_id;
    match (&*message_id, key) {
        (None, key) => *message_id = key,
        (Some(own), Some(key)) if *own != key => {
            return Err(Refusal::over(ErrorCode::BadRequest, Rule::IdempotencyKey));
        }
        (Some(_), Some(_) | None) => {}
    }
    Ok(send)
}

/// The answer holds the bytes of the reply as they were delivered.
fn answer(
    code: StatusCode,
    message_id: &MessageId,
    status: AckStatus,
    reply: Option<&Bytes>,
) -> Response {
    let status = status.wire_name();
    // Neither has a character that JSON escapes.
    let mut text = format!(r#"{{"messageId":"{message_id}","status":"{status}""#).into_bytes();
    if let Some(reply) = reply {
        text.extend_from_slice(br#","reply":"#);
        text.extend_from_slice(reply);
    }
    text.push(b'}');
    json(code, text)
}
