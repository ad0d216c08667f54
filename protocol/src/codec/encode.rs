//! From frames to text: every frame out is one allocation of exactly its size, shared by all who
//! receive it.
//!
//! Deliveries and acks are the hot path and are put together from pieces; the rest goes through
//! serde. `now_ms` is the frame's `timestamp`, Unix milliseconds.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use smallvec::SmallVec;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::envelope::Envelope;
use crate::error::ErrorCode;
use crate::frame::{AckStatus, ClientFrame, ErrorData, SendKind, ServerMessage};
use crate::ids::{FrameId, MessageId};

/// `2025-11-21T02:36:40.000Z`. Source: RFC 3339 §5.6.
const RFC_3339_MS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The last millisecond of the year 9999, where RFC 3339 ends.
const STAMP_MS_MAX: u64 = 253_402_300_799_999;

/// The frame that the recipient of an envelope gets: ours first, then the body as it was sent.
///
/// Only a message carries `id` and `messageId`, and the gateway's `timestamp` if its sender gave
/// none.
pub fn delivery(envelope: &Envelope, now_ms: u64) -> Bytes {
    let mut now = itoa::Buffer::new();
    let mut stamp = [0; 24];
    let is_message = match envelope.kind {
        SendKind::Message => true,
        SendKind::MessagePartial | SendKind::Typing => false,
    };
    let mut out = Pieces::default();
    out.text(r#"{"type":""#).text(envelope.kind.wire_name());
    out.text(r#"","data":{"from":""#)
        .text(envelope.from.as_str());
    out.text(r#"","to":""#).text(envelope.to.as_str());
    if let Some(id) = envelope.message_id.as_ref().filter(|_| is_message) {
        out.text(r#"","id":""#).text(id.as_str());
        out.text(r#"","messageId":""#).text(id.as_str());
    }
    out.text(r#"","connectionId":""#)
        .text(envelope.connection.as_str());
    out.text("\"");
    for run in envelope.body.runs() {
        out.text(",").bytes(run);
    }
    if let Some(ms) = envelope.stamped_ms.filter(|_| is_message) {
        out.text(r#","timestamp":""#)
            .text(rfc_3339(ms, &mut stamp))
            .text("\"");
    }
    out.text(r#"},"timestamp":"#)
        .text(now.format(now_ms))
        .text("}");
    out.join()
}

/// `message_ack`: the answer to a message that is accepted.
pub fn ack(message_id: &MessageId, status: AckStatus, id: Option<&FrameId>, now_ms: u64) -> Bytes {
    let mut now = itoa::Buffer::new();
    let id = id.map(escaped);
    let mut out = Pieces::default();
    out.text(r#"{"type":"message_ack","data":{"messageId":""#)
        .text(message_id.as_str());
    out.text(r#"","status":""#)
        .text(status.wire_name())
        .text(r#""}"#);
    if let Some(id) = &id {
        out.text(r#","id":""#).text(id).text("\"");
    }
    out.text(r#","timestamp":"#)
        .text(now.format(now_ms))
        .text("}");
    out.join()
}

/// `error`: the refusal of a frame, in the words of the table.
pub fn error(
    code: ErrorCode,
    id: Option<&FrameId>,
    message_id: Option<&MessageId>,
    retry_after_ms: Option<u64>,
    now_ms: u64,
) -> Bytes {
    let error = ErrorData {
        code: code.status(),
        reason: code,
        message: code.text().to_owned(),
        message_id: message_id.cloned(),
        retryable: code.retryable(),
        retry_after_ms,
    };
    server(&ServerMessage::Error(error), id, now_ms)
}

/// Any frame of the gateway.
pub fn server(message: &ServerMessage, id: Option<&FrameId>, now_ms: u64) -> Bytes {
    #[derive(Serialize)]
    struct Out<'a> {
        #[serde(flatten)]
        message: &'a ServerMessage,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a FrameId>,
        timestamp: u64,
    }
    let timestamp = now_ms;
    let out = Out {
        message,
        id,
        timestamp,
    };
    let text = serde_json::to_vec(&out).expect("frames have string keys only");
    Bytes::from(text.into_boxed_slice())
}

/// Any frame of a client program.
pub fn client(frame: &ClientFrame) -> String {
    serde_json::to_string(frame).expect("frames have string keys only")
}

/// Slices that become one text.
#[derive(Default)]
struct Pieces<'a>(SmallVec<[&'a [u8]; 32]>);

impl<'a> Pieces<'a> {
    fn text(&mut self, piece: &'a str) -> &mut Self {
        self.bytes(piece.as_bytes())
    }

    fn bytes(&mut self, piece: &'a [u8]) -> &mut Self {
        self.0.push(piece);
        self
    }

    fn join(&self) -> Bytes {
        let text = self.0.concat();
        debug_assert_eq!(
            text.len(),
            text.capacity(),
            "concat adds up the sizes first"
        );
        Bytes::from(text)
    }
}

/// An id as it stands between the quotes of a JSON string. Most need no escape and no allocation.
fn escaped(id: &FrameId) -> Cow<'_, str> {
    let text = id.as_str();
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        return Cow::Borrowed(text);
    }
    let mut quoted = serde_json::to_string(text).expect("a text is JSON");
    quoted.pop();
    quoted.remove(0);
    Cow::Owned(quoted)
}

/// The moment as RFC 3339 with milliseconds, UTC; moments past the year 9999 are its last.
fn rfc_3339(unix_ms: u64, out: &mut [u8; 24]) -> &str {
    let nanos = i128::from(unix_ms.min(STAMP_MS_MAX)) * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("within the year 9999");
    moment
        .format_into(&mut out.as_mut_slice(), RFC_3339_MS)
        .expect("24 bytes are enough");
    std::str::from_utf8(out).expect("digits and marks are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_milliseconds_and_an_end() {
        let stamp = |ms| rfc_3339(ms, &mut [0; 24]).to_owned();
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(1_763_695_000_042), "2025-11-21T03:16:40.042Z");
        assert_eq!(stamp(STAMP_MS_MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(stamp(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn ids_are_escaped_as_serde_json_does() {
        for text in ["plain", "ä😀/\u{7f}", "\"", "\\", "\u{1f}\n\u{8}", "\"\\\""] {
            let id = FrameId::parse(text).unwrap();
            let quoted = format!("\"{}\"", escaped(&id));
            assert_eq!(quoted, serde_json::to_string(text).unwrap());
        }
    }
}
