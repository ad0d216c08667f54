//! From text to [`IncomingRequest`]: the frame's own members, and the choice of the request.

use bytes::Bytes;

use super::data::{FrameData, message_id, only};
use super::value::{BAD_FRAME, FrameFault, bad, frame_id, inside, missing, pick, wrong};
use super::walk::Walk;
use super::{message, requests};
use crate::error::ErrorCode;
use crate::json::{Malformed, unescape};
use crate::message::SendKind;
use crate::request::{ClientRequest, IncomingRequest, RejectedRequest};
use crate::rule::Rule;

/// Reads one frame. The body of a message is a slice of `text`, not a copy.
///
/// `text`: UTF-8, checked by the WebSocket layer. Errors: [`RejectedRequest`]. Source: protocol.md §4.
pub fn decode(text: &Bytes) -> Result<IncomingRequest, Box<RejectedRequest>> {
    let mut walk = Walk::default();
    let walked = walk.run(text);
    frame(text, &walk, walked).map_err(|refusal| rejected(text, &walk, refusal))
}

/// Boxed: a frame is moved through every call, and few are rejected.
#[cold]
fn rejected(text: &[u8], walk: &Walk, refusal: FrameFault) -> Box<RejectedRequest> {
    Box::new(RejectedRequest {
        code: refusal.code,
        id: only(text, &walk.frame, "id", frame_id),
        message_id: only(text, &walk.data, "messageId", message_id),
        fault: refusal.fault,
    })
}

const INVALID_FRAME_ID: FrameFault = wrong(ErrorCode::InvalidId, Rule::FrameId);

fn frame(
    text: &Bytes,
    walk: &Walk,
    walked: Result<(), Malformed>,
) -> Result<IncomingRequest, FrameFault> {
    walked.map_err(|Malformed| BAD_FRAME)?;
    let names = ["type", "data", "id", "timestamp"];
    let [kind, data, id, _timestamp] = pick(text, &walk.frame, names)?;
    let id = match id {
        Some(span) => Some(frame_id(span.of(text)).ok_or(INVALID_FRAME_ID)?),
        None => None,
    };
    let kind = kind.ok_or(missing(Rule::Type))?.of(text);
    let kind = inside(kind).ok_or(bad(Rule::Type))?;
    let data = FrameData {
        text,
        span: data,
        members: &walk.data,
    };
    let request = match request(kind, &data) {
        // No type has a backslash in it: this one may have been escaped.
        Err(refusal) if refusal.code == ErrorCode::UnknownType => {
            let kind = unescape(kind).ok_or(refusal)?;
            request(kind.as_bytes(), &data)
        }
        request => request,
    };
    let request = request?;
    Ok(IncomingRequest { id, request })
}

fn request(kind: &[u8], data: &FrameData<'_>) -> Result<ClientRequest, FrameFault> {
    let send = |kind| message::read(kind, data).map(ClientRequest::Send);
    match kind {
        b"message" => send(SendKind::Message),
        b"message_partial" => send(SendKind::MessagePartial),
        b"typing" => send(SendKind::Typing),
        b"ping" => Ok(ClientRequest::Ping),
        b"auth" => requests::auth(data).map(Box::new).map(ClientRequest::Auth),
        b"register_bot" => requests::register_bot(data)
            .map(Box::new)
            .map(ClientRequest::RegisterBot),
        b"unregister_bot" => requests::bot_ref(data).map(ClientRequest::UnregisterBot),
        b"subscribe" => requests::bot_ref(data).map(ClientRequest::Subscribe),
        b"unsubscribe" => requests::bot_ref(data).map(ClientRequest::Unsubscribe),
        b"list_bots" => requests::list_bots(data)
            .map(Box::new)
            .map(ClientRequest::ListBots),
        b"status" => requests::status(data)
            .map(Box::new)
            .map(ClientRequest::Status),
        b"received" | b"task" | b"task_update" => Ok(ClientRequest::Later),
        _ => Err(wrong(ErrorCode::UnknownType, Rule::Type)),
    }
}
