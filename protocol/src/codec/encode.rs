//! From frames to text: every frame out is one allocation of exactly its size, shared by all who
//! receive it.
//!
//! Deliveries and acks are the hot path and are put together from pieces; the rest goes through
//! serde. `now_ms` is the frame's `timestamp`, Unix milliseconds.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use time::UtcDateTime;

use crate::envelope::Envelope;
use crate::frame::{
    AckStatus, ClientFrame, ErrorData, SendKind, ServerMessage, Status, TypedStatus,
};
use crate::ids::{BotId, FrameId, MessageId, Written};
use crate::outbound::{Answer, BotsPage, Outbound, Refusal, Shared};
use crate::presence::BotInfo;
use crate::rule;

/// The pieces that a block puts, as one text: it is run for their size first, then for themselves.
/// Twice, and not once with a list of them, since pieces that are constant then cost next to nothing.
macro_rules! joined {
    (|$out:ident| $put:block) => {{
        let mut size = Size(0);
        {
            let $out = &mut size;
            $put
        }
        let mut text = Vec::with_capacity(size.0);
        {
            let $out = &mut text;
            $put
        }
        debug_assert_eq!(text.len(), text.capacity(), "the size was added up first");
        Bytes::from(text)
    }};
}

/// The last millisecond of the year 9999, where RFC 3339 ends.
const STAMP_MS_MAX: u64 = 253_402_300_799_999;

/// The frame that tells a connection this.
pub fn outbound(outbound: Outbound, now_ms: u64) -> Bytes {
    match outbound {
        Outbound::Delivery(envelope) => Shared::t2b(envelope, |it| delivery(it, now_ms)),
        Outbound::Ack {
            id,
            message_id,
            status,
        } => ack(&message_id, status, id.as_ref(), now_ms),
        Outbound::Pong { id, pong } => server(&ServerMessage::Pong(pong), id.as_ref(), now_ms),
        Outbound::Refusal { id, refusal } => error(&refusal, id.as_ref(), now_ms),
        Outbound::Presence(status) => Shared::t2b(status, |it| {
            server(&ServerMessage::BotStatus(it.clone()), None, now_ms)
        }),
        Outbound::Answer { id, answer } => answer_to(id.as_ref(), *answer, now_ms),
    }
}

fn answer_to(id: Option<&FrameId>, answer: Answer, now_ms: u64) -> Bytes {
    let typed = |status| ServerMessage::Status(Status::Typed(status));
    let message = match answer {
        Answer::Bots(page) => return bots_list(&page, id, now_ms),
        Answer::Connected(it) => ServerMessage::Status(Status::Connected(it)),
        Answer::AuthOk(it) => ServerMessage::AuthOk(it),
        Answer::AuthError(it) => ServerMessage::AuthError(it),
        Answer::BotRegistered(it) => ServerMessage::BotRegistered(it),
        Answer::BotUnregistered(it) => ServerMessage::BotUnregistered(it),
        Answer::Subscribed(it) => typed(TypedStatus::Subscribed(it)),
        Answer::Unsubscribed(it) => typed(TypedStatus::Unsubscribed(it)),
        Answer::Connections(it) => typed(TypedStatus::Connections(it)),
        Answer::Full(it) => typed(TypedStatus::Full(it)),
        Answer::Migrate(it) => ServerMessage::Migrate(it),
    };
    server(&message, id, now_ms)
}

/// The frame that the recipient of an envelope gets: ours first, then the body as it was sent.
///
/// Only a message carries `id` and `messageId`, and the gateway's `timestamp` if its sender gave
/// none.
pub fn delivery(envelope: &Envelope, now_ms: u64) -> Bytes {
    let (head, is_message) = match envelope.message.kind {
        SendKind::Message => (r#"{"type":"message","data":{"from":""#, true),
        SendKind::MessagePartial => (r#"{"type":"message_partial","data":{"from":""#, false),
        SendKind::Typing => (r#"{"type":"typing","data":{"from":""#, false),
    };
    let tail = Tail::new(envelope.stamped_ms.filter(|_| is_message), now_ms);
    let id = envelope.message.message_id.as_ref().filter(|_| is_message);
    joined!(|out| {
        out.put(head).put(envelope.from.as_str());
        out.put(r#"","to":""#).put(envelope.message.to.as_str());
        if let Some(id) = id {
            out.put(r#"","id":""#).put(id.as_str());
            out.put(r#"","messageId":""#).put(id.as_str());
        }
        out.put(r#"","connectionId":""#)
            .put(envelope.connection.as_str());
        out.put("\"");
        for run in envelope.message.body.runs() {
            out.put(",").put(run);
        }
        out.put(tail.bytes());
    })
}

/// The `data` of the frame that the recipient of an envelope gets.
pub(super) fn delivered_data(envelope: &Envelope) -> Bytes {
    let frame = delivery(envelope, 0);
    // `{"type":"message","data":` before it, `,"timestamp":0}` behind it.
    let head = r#"{"type":"","data":"#.len() + envelope.message.kind.wire_name().len();
    frame.slice(head..frame.len() - r#","timestamp":0}"#.len())
}

/// `message_ack`: the answer to a message that is accepted.
pub fn ack(message_id: &MessageId, status: AckStatus, id: Option<&FrameId>, now_ms: u64) -> Bytes {
    let mut now = itoa::Buffer::new();
    let now = now.format(now_ms);
    let id = id.map(Quoted::new);
    joined!(|out| {
        out.put(r#"{"type":"message_ack","data":{"messageId":""#)
            .put(message_id.as_str());
        out.put(r#"","status":""#)
            .put(status.wire_name())
            .put(r#""}"#);
        if let Some(id) = &id {
            out.put(r#","id":"#)
                .put(id.quote)
                .put(id.text.as_bytes())
                .put(id.quote);
        }
        out.put(r#","timestamp":"#).put(now).put("}");
    })
}

/// `error`: the refusal of a frame, in the words of the tables.
pub fn error(refusal: &Refusal, id: Option<&FrameId>, now_ms: u64) -> Bytes {
    let Refusal {
        code,
        fault,
        message_id,
        retry_ms,
    } = *refusal;
    let error = ErrorData {
        code: code.status(),
        reason: code,
        message: rule::message(code, fault),
        field: fault.map(|fault| fault.field().to_owned()),
        message_id,
        retryable: code.retryable(),
        retry_after_ms: retry_ms,
    };
    server(&ServerMessage::Error(error), id, now_ms)
}

/// `status{bots_list}`, put together from its entries, each of which is written once a change.
fn bots_list(page: &BotsPage, id: Option<&FrameId>, now_ms: u64) -> Bytes {
    let mut now = itoa::Buffer::new();
    let now = now.format(now_ms);
    let id = id.map(Quoted::new);
    let request_id = page.request_id.as_deref().map(escaped);
    let entries: Vec<&Bytes> = page.bots.iter().map(|bot| bot.t2b_kept(bot_info)).collect();
    joined!(|out| {
        out.put(r#"{"type":"status","data":{"type":"bots_list","#);
        put_bots(out, &entries, page.next_cursor.as_ref());
        if let Some(request_id) = &request_id {
            out.put(r#","requestId":""#)
                .put(request_id.as_bytes())
                .put("\"");
        }
        out.put("}");
        if let Some(id) = &id {
            out.put(r#","id":"#)
                .put(id.quote)
                .put(id.text.as_bytes())
                .put(id.quote);
        }
        out.put(r#","timestamp":"#).put(now).put("}");
    })
}

/// The body of the HTTP API that has a page of bots: a [`BotPage`](crate::http::BotPage).
pub fn bot_page(page: &BotsPage) -> Bytes {
    let entries: Vec<&Bytes> = page.bots.iter().map(|bot| bot.t2b_kept(bot_info)).collect();
    joined!(|out| {
        out.put("{");
        put_bots(out, &entries, page.next_cursor.as_ref());
        out.put("}");
    })
}

fn put_bots(out: &mut impl Pieces, entries: &[&Bytes], next_cursor: Option<&BotId>) {
    out.put(r#""bots":["#);
    for (at, entry) in entries.iter().enumerate() {
        out.put(if at == 0 { "" } else { "," }).put(entry);
    }
    out.put("]");
    if let Some(cursor) = next_cursor {
        out.put(r#","nextCursor":""#).put(cursor.as_str()).put("\"");
    }
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

fn bot_info(bot: &BotInfo) -> Bytes {
    let text = serde_json::to_vec(bot).expect("texts serialise");
    Bytes::from(text.into_boxed_slice())
}

/// Any frame of a client program.
pub fn client(frame: &ClientFrame) -> String {
    serde_json::to_string(frame).expect("frames have string keys only")
}

/// Takes the pieces of a text, in order.
trait Pieces {
    fn put(&mut self, piece: impl AsRef<[u8]>) -> &mut Self;
}

/// Adds up their bytes.
struct Size(usize);

impl Pieces for Size {
    fn put(&mut self, piece: impl AsRef<[u8]>) -> &mut Self {
        self.0 += piece.as_ref().len();
        self
    }
}

impl Pieces for Vec<u8> {
    fn put(&mut self, piece: impl AsRef<[u8]>) -> &mut Self {
        self.extend_from_slice(piece.as_ref());
        self
    }
}

/// An id as it stands in a frame, between two quotes if it is a text.
struct Quoted<'a> {
    quote: &'static str,
    text: Cow<'a, str>,
}

impl<'a> Quoted<'a> {
    fn new(id: &'a FrameId) -> Self {
        match id.written() {
            Written::Text(text) => Self {
                quote: "\"",
                text: escaped(text),
            },
            Written::Number(number) => Self {
                quote: "",
                text: Cow::Owned(number.to_string()),
            },
        }
    }
}

/// A text as it stands between the quotes of a JSON string. Most need no escape and no allocation.
fn escaped(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        return Cow::Borrowed(text);
    }
    let mut quoted = serde_json::to_string(text).expect("a text is JSON");
    quoted.pop();
    quoted.remove(0);
    Cow::Owned(quoted)
}

/// The end of a delivery, all digits: `,"timestamp":"<RFC 3339>"},"timestamp":<Unix ms>}`.
struct Tail {
    bytes: [u8; Tail::BYTES_MAX],
    length: usize,
}

impl Tail {
    /// The longest: two names, a stamp of 24 bytes, and a number of 20.
    const BYTES_MAX: usize = r#","timestamp":""},"timestamp":}"#.len() + 24 + 20;

    /// `stamped_ms`: what the message itself is stamped with, if the gateway does that.
    fn new(stamped_ms: Option<u64>, now_ms: u64) -> Self {
        let mut tail = Self {
            bytes: [0; Self::BYTES_MAX],
            length: 0,
        };
        if let Some(ms) = stamped_ms {
            tail.push(br#","timestamp":""#);
            tail.push(&rfc_3339(ms));
            tail.push(b"\"");
        }
        tail.push(br#"},"timestamp":"#);
        tail.push(itoa::Buffer::new().format(now_ms).as_bytes());
        tail.push(b"}");
        tail
    }

    fn push(&mut self, piece: &[u8]) {
        self.bytes[self.length..][..piece.len()].copy_from_slice(piece);
        self.length += piece.len();
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The moment as `2025-11-21T02:36:40.000Z`, UTC; moments past the year 9999 are its last.
///
/// Digits by hand: time's formatter takes ten times as many instructions. Source: RFC 3339 §5.6.
fn rfc_3339(unix_ms: u64) -> [u8; 24] {
    let unix_ms = unix_ms.min(STAMP_MS_MAX);
    let moment = UtcDateTime::from_unix_timestamp((unix_ms / 1000) as i64);
    let moment = moment.expect("within the year 9999");
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.as_hms();
    let millis = (unix_ms % 1000) as u16;
    let mut out = *b"0000-00-00T00:00:00.000Z";
    let mut two = |at: usize, number: u8| {
        out[at] = b'0' + number / 10;
        out[at + 1] = b'0' + number % 10;
    };
    two(0, (year / 100) as u8);
    two(2, (year % 100) as u8);
    two(5, u8::from(month));
    two(8, day);
    two(11, hour);
    two(14, minute);
    two(17, second);
    two(20, (millis / 10) as u8);
    out[22] = b'0' + (millis % 10) as u8;
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    use crate::error::ErrorCode;
    use crate::presence::{BotState, BotsList};

    #[test]
    fn stamps_have_milliseconds_and_an_end() {
        let stamp = |ms| String::from_utf8(rfc_3339(ms).to_vec()).unwrap();
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(1_763_695_000_042), "2025-11-21T03:16:40.042Z");
        assert_eq!(stamp(STAMP_MS_MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(stamp(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn an_integer_id_has_no_quotes() {
        let message = MessageId::parse("m-1").unwrap();
        let id = FrameId::parse_number("-7").unwrap();
        let text = ack(&message, AckStatus::Delivered, Some(&id), 5);
        let wanted = r#"{"type":"message_ack","data":{"messageId":"m-1","status":"delivered"},"id":-7,"timestamp":5}"#;
        assert_eq!(text, wanted);
        let error = error(&ErrorCode::BotOffline.into(), Some(&id), 5);
        assert!(error.ends_with(br#","id":-7,"timestamp":5}"#), "{error:?}");
    }

    #[test]
    fn ids_are_escaped_as_serde_json_does() {
        for text in ["plain", "ä😀/\u{7f}", "\"", "\\", "\u{1f}\n\u{8}", "\"\\\""] {
            let quoted = format!("\"{}\"", escaped(text));
            assert_eq!(quoted, serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn a_page_is_put_together_as_serde_json_does() {
        let bot = |name: &str| BotInfo {
            id: BotId::parse("bot_a").unwrap(),
            name: name.to_owned(),
            kind: "bot".to_owned(),
            description: "a \"b\"".to_owned(),
            capabilities: vec!["chat".to_owned()],
            status: BotState::Online,
            since: 7,
        };
        let id = FrameId::parse("i\"d").unwrap();
        for (names, cursor, asked, id) in [
            (&[][..], None, None, None),
            (&["one"][..], None, Some("r\n1"), Some(&id)),
            (&["one", "two \u{1f}"][..], Some("bot_a"), None, None),
        ] {
            let bots: Vec<_> = names.iter().copied().map(bot).collect();
            let page = BotsPage {
                bots: bots
                    .iter()
                    .cloned()
                    .map(Shared::new)
                    .map(Arc::new)
                    .collect(),
                next_cursor: cursor.map(|it| BotId::parse(it).unwrap()),
                request_id: asked.map(str::to_owned),
            };
            let list = BotsList {
                bots,
                next_cursor: cursor.map(str::to_owned),
                request_id: asked.map(str::to_owned),
            };
            let status = Status::Typed(TypedStatus::BotsList(list));
            let right = server(&ServerMessage::Status(status), id, 9);
            assert_eq!(bots_list(&page, id, 9), right);
        }
    }
}
