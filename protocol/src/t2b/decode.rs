//! From text to [`Frame`]: the frame's own members, and the choice of the request.

use bytes::Bytes;

use super::value::{BAD_FRAME, FrameFault, bad, frame_id, given, id, inside, missing, pick, wrong};
use super::walk::Walk;
use super::{message, requests};
use crate::error::ErrorCode;
use crate::ids::MessageId;
use crate::json::{Malformed, Member, Span, unescape};
use crate::message::SendKind;
use crate::request::{Frame, Rejected, Request};
use crate::rule::Rule;

/// Reads one frame. The body of a message is a slice of `text`, not a copy.
///
/// `text`: UTF-8, checked by the WebSocket layer. Errors: [`Rejected`]. Source: protocol.md §4.
pub fn decode(text: &Bytes) -> Result<Frame, Box<Rejected>> {
    let mut walk = Walk::default();
    let walked = walk.run(text);
    frame(text, &walk, walked).map_err(|refusal| rejected(text, &walk, refusal))
}

/// Boxed: a frame is moved through every call, and few are rejected.
#[cold]
fn rejected(text: &[u8], walk: &Walk, refusal: FrameFault) -> Box<Rejected> {
    Box::new(Rejected {
        code: refusal.code,
        id: only(text, &walk.frame, "id", frame_id),
        message_id: only(text, &walk.data, "messageId", message_id),
        fault: refusal.fault,
    })
}

/// `data` of a frame, where it lies in the text.
pub(crate) struct Data<'a> {
    /// The whole frame.
    pub(crate) text: &'a Bytes,
    /// The object, if there is one.
    pub(crate) span: Option<Span>,
    /// Its members; their spans count from the start of the frame.
    pub(crate) members: &'a [Member],
}

const INVALID_FRAME_ID: FrameFault = wrong(ErrorCode::InvalidId, Rule::FrameId);

fn frame(text: &Bytes, walk: &Walk, walked: Result<(), Malformed>) -> Result<Frame, FrameFault> {
    walked.map_err(|Malformed| BAD_FRAME)?;
    let names = ["type", "data", "id", "timestamp"];
    let [kind, data, id, _timestamp] = pick(text, &walk.frame, names)?;
    let id = match id {
        Some(span) => Some(frame_id(span.of(text)).ok_or(INVALID_FRAME_ID)?),
        None => None,
    };
    let kind = kind.ok_or(missing(Rule::Type))?.of(text);
    let kind = inside(kind).ok_or(bad(Rule::Type))?;
    let data = Data {
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
    Ok(Frame { id, request })
}

fn request(kind: &[u8], data: &Data<'_>) -> Result<Request, FrameFault> {
    let send = |kind| message::read(kind, data).map(Request::Send);
    match kind {
        b"message" => send(SendKind::Message),
        b"message_partial" => send(SendKind::MessagePartial),
        b"typing" => send(SendKind::Typing),
        b"ping" => Ok(Request::Ping),
        b"auth" => requests::auth(data).map(Box::new).map(Request::Auth),
        b"register_bot" => requests::register_bot(data)
            .map(Box::new)
            .map(Request::RegisterBot),
        b"unregister_bot" => requests::bot_ref(data).map(Request::UnregisterBot),
        b"subscribe" => requests::bot_ref(data).map(Request::Subscribe),
        b"unsubscribe" => requests::bot_ref(data).map(Request::Unsubscribe),
        b"list_bots" => requests::list_bots(data)
            .map(Box::new)
            .map(Request::ListBots),
        b"status" => requests::status(data).map(Box::new).map(Request::Status),
        b"received" | b"task" | b"task_update" => Ok(Request::Later),
        _ => Err(wrong(ErrorCode::UnknownType, Rule::Type)),
    }
}

impl<'a> Data<'a> {
    /// The object as written; absent: an empty one. Errors: `bad_frame` if it is another value.
    pub(crate) fn object(&self) -> Result<&'a [u8], FrameFault> {
        let Some(span) = self.span else {
            return Ok(b"{}");
        };
        let object = span.of(self.text);
        if object.starts_with(b"{") {
            Ok(object)
        } else {
            Err(bad(Rule::Data))
        }
    }

    /// The values of the named members, each at most once; `null` is as if absent.
    pub(crate) fn pick<const N: usize>(
        &self,
        names: [&str; N],
    ) -> Result<[Option<&'a [u8]>; N], FrameFault> {
        self.object()?;
        let text: &'a [u8] = self.text;
        Ok(pick(text, self.members, names)?.map(|span| given(text, span)))
    }
}

/// The id in the one member of that name; `None` if there is none, or two, or it is not valid.
pub(crate) fn only<T>(
    text: &[u8],
    members: &[Member],
    name: &str,
    read: fn(&[u8]) -> Option<T>,
) -> Option<T> {
    let [raw] = pick(text, members, [name]).ok()?;
    read(raw?.of(text))
}

/// A message id as written.
pub(crate) fn message_id(raw: &[u8]) -> Option<MessageId> {
    id(raw, MessageId::parse)
}
