//! Sends a message, and waits for its reply if that is wanted.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use protocol::http::decode_message;
use protocol::limits::WAIT_MS_MAX;
use protocol::message::{AckStatus, Send};
use protocol::{ErrorCode, MessageId, Refusal, Rule};
use router_core::Capabilities;

use super::{Answer, json};
use crate::http::extract::Exchange;
use crate::ws::ReadLimits;

/// Sends a message: the body is the `data` of a `message` frame, passed on as it is.
///
/// The sender is the credential's client id. With `waitMs` the answer waits for the reply: the
/// first message of whom it was sent to that has its id as `replyTo`, or is addressed to the
/// connection that the recipient sees; of a reply in `parts` all, their texts joined.
#[cfg_attr(feature = "generate", utoipa::path(
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
))]
pub(in crate::http) async fn send(exchange: Exchange<'_>) -> Answer {
    let wait_ms: Option<u64> = exchange.query_number(Rule::WaitMs)?;
    if wait_ms.is_some_and(|wait_ms| wait_ms > WAIT_MS_MAX) {
        return Err(Refusal::over(ErrorCode::BadRequest, Rule::WaitMs));
    }
    let capabilities = match wait_ms {
        None => Capabilities::call(),
        Some(_) => Capabilities::waiting_call(),
    };
    let client = exchange.query("clientId");
    let key = idempotency_key(&exchange)?;
    let ended = exchange.input_ended();
    let mut caller = exchange.join(capabilities, client).await?;
    let send = read(exchange, &caller.limits, key).await?;
    let (message_id, status) = caller.send(send).await?;
    let Some(wait_ms) = wait_ms else {
        return Ok(answer(StatusCode::ACCEPTED, &message_id, status, None));
    };
    // Whoever ends its side may be gone, which nobody can tell before something is written to it. What
    // it sent is acknowledged, and no reply is taken from the sockets of its client id.
    let reply = tokio::select! {
        reply = caller.reply(Duration::from_millis(wait_ms)) => reply?,
        () = ended => None,
    };
    let code = match reply {
        Some(_) => StatusCode::OK,
        None => StatusCode::ACCEPTED,
    };
    let reply = reply.unwrap_or(Bytes::from_static(b"null"));
    Ok(answer(code, &message_id, status, Some(&reply)))
}

/// Errors: `invalid_id` if it is no message id, `bad_request` if there are two.
fn idempotency_key(exchange: &Exchange<'_>) -> Result<Option<MessageId>, Refusal> {
    let over = |code| Refusal::over(code, Rule::IdempotencyKey);
    let key = exchange.header(Rule::IdempotencyKey.field());
    let key = key.map_err(|refused| over(refused.code))?;
    let key = key.map(MessageId::parse).transpose();
    key.map_err(|_| over(ErrorCode::InvalidId))
}

/// The message in the body, which only the message holds from now on: a wait is long.
async fn read(
    exchange: Exchange<'_>,
    limits: &ReadLimits,
    key: Option<MessageId>,
) -> Result<Send, Refusal> {
    let body = exchange.json_body(limits).await?;
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

/// The reply stands in the answer to the byte as it was delivered, whatever JSON it is.
fn answer(
    code: StatusCode,
    message_id: &MessageId,
    status: AckStatus,
    reply: Option<&Bytes>,
) -> Response<Full<Bytes>> {
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
