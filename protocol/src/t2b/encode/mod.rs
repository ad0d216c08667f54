//! From frames to text: every frame out is one allocation of exactly its size, shared by all who
//! receive it.
//!
//! Deliveries and acks are the hot path and are put together from pieces; the rest goes through
//! serde. `now_ms` is the frame's `timestamp`, Unix milliseconds.

pub(crate) mod bots;
mod message;
pub(crate) mod pieces;
mod stamp;
mod typed;

use bytes::Bytes;

use self::bots::bots_list;
pub(crate) use self::message::delivered_data;
use self::message::pong;
pub use self::message::{ack, delivery};
pub use self::stamp::restamped;
pub use self::typed::{client, server};
use super::frames::{ErrorData, ServerMessage, Status, TypedStatus};
use crate::dialect::DialectKind;
use crate::ids::FrameId;
use crate::outbound::{Answer, Outbound, Refusal};
use crate::shared::Shared;

/// The frame that tells a connection this.
pub fn outbound(outbound: Outbound, now_ms: u64) -> Bytes {
    match outbound {
        Outbound::Delivery(envelope) => {
            Shared::text(envelope, DialectKind::T2b, |it| delivery(it, now_ms))
        }
        Outbound::Ack {
            id,
            message_id,
            status,
        } => ack(&message_id, status, id.as_ref(), now_ms),
        Outbound::Pong { id, pong: it } => pong(&it, id.as_ref(), now_ms),
        Outbound::Refusal { id, refusal } => error(&refusal, id.as_ref(), now_ms),
        Outbound::Presence(status) => Shared::text(status, DialectKind::T2b, |it| {
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
        Answer::Quota(it) => typed(TypedStatus::Quota(it)),
        Answer::Migrate(it) => ServerMessage::Migrate(it),
    };
    server(&message, id, now_ms)
}

/// `error`: the refusal of a frame, in the words of the tables.
pub fn error(refusal: &Refusal, id: Option<&FrameId>, now_ms: u64) -> Bytes {
    let Refusal {
        code,
        fault,
        message_id,
        retry_ms,
        spent,
    } = *refusal;
    let error = ErrorData {
        code: code.status(),
        reason: code,
        message: refusal.message(),
        field: fault.map(|fault| fault.field().to_owned()),
        message_id,
        retryable: refusal.retryable(),
        retry_after_ms: retry_ms,
        meter: spent.map(|spent| spent.meter),
        resets_at: spent.map(|spent| spent.resets_ms),
    };
    server(&ServerMessage::Error(error), id, now_ms)
}

#[cfg(test)]
mod tests {
    use crate::connect::Pong;
    use crate::error::ErrorCode;
    use crate::ids::MessageId;
    use crate::message::AckStatus;

    use super::*;

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
    fn a_pong_is_put_together_as_serde_json_does() {
        let id = FrameId::parse("i\"d").unwrap();
        for id in [None, Some(&id)] {
            let it = Pong { timestamp: 7 };
            let right = server(&ServerMessage::Pong(it.clone()), id, 9);
            assert_eq!(pong(&it, id, 9), right);
        }
    }
}
