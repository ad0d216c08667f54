//! `POST /v1/messages`: its body, which is the `data` of a `message` frame.

use bytes::Bytes;

use crate::json::Malformed;
use crate::message::{Send, SendKind};
use crate::request::RejectedRequest;
use crate::t2b::data::{FrameData, message_id, only};
use crate::t2b::message;
use crate::t2b::value::BAD_FRAME;
use crate::t2b::walk::Walk;

/// Reads a message whose `data` comes without a frame around it, as over HTTP.
///
/// `text`: UTF-8. Errors: [`RejectedRequest`], as of a `message` frame with that `data`.
pub fn decode_message(text: &Bytes) -> Result<Send, RejectedRequest> {
    let mut walk = Walk::default();
    let span = walk.run_data(text).map_err(|Malformed| BAD_FRAME);
    let send = span.and_then(|span| {
        let data = FrameData {
            text,
            span: Some(span),
            members: &walk.data,
        };
        message::read(SendKind::Message, &data)
    });
    send.map_err(|refusal| RejectedRequest {
        code: refusal.code,
        id: None,
        message_id: only(text, &walk.data, "messageId", message_id),
        fault: refusal.fault,
    })
}
