//! Deliveries, acks and pongs: the hot path.

use bytes::Bytes;

use super::pieces::{Pieces, Quoted, Size, joined, put_end};
use super::stamp::Tail;
use crate::connect::Pong;
use crate::envelope::Envelope;
use crate::ids::{FrameId, MessageId};
use crate::message::{AckStatus, SendKind};

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
pub(crate) fn delivered_data(envelope: &Envelope) -> Bytes {
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
        put_end(out, id.as_ref(), now);
    })
}

/// `pong`: the answer to `ping`.
pub(super) fn pong(pong: &Pong, id: Option<&FrameId>, now_ms: u64) -> Bytes {
    let (mut told, mut now) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (told, now) = (told.format(pong.timestamp), now.format(now_ms));
    let id = id.map(Quoted::new);
    joined!(|out| {
        out.put(r#"{"type":"pong","data":{"timestamp":"#)
            .put(told)
            .put("}");
        put_end(out, id.as_ref(), now);
    })
}
