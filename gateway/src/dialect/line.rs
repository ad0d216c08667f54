//! A dialect of lines of text, which shows what a dialect is made of. Only tests have it.
//!
//! ```text
//!  phone,tablet<TAB>hi    asks to send `hi` to two recipients; its requests are numbered 1, 2, …
//!  ok 1<TAB>delivered     the request 1 is acknowledged
//!  no 2<TAB>bot_offline   the request 2 is refused
//!  bot_a<TAB>hello        a message from bot_a
//! ```
//!
//! It has no words for partials, typing, presence and most answers.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use protocol::json::unescape;
use protocol::message::{Body, Message, Send, SendKind};
use protocol::request::{ClientRequest, IncomingRequest, RejectedRequest};
use protocol::{Answer, ErrorCode, FrameId, Name, Outbound};

use super::decoded::DecodedRequest;

/// The state of one connection: how many requests it made.
#[derive(Debug, Default)]
pub(crate) struct LineDialect(AtomicU64);

impl LineDialect {
    pub(super) fn decode(&self, line: &[u8], mut take: impl FnMut(DecodedRequest)) {
        let line = std::str::from_utf8(line).unwrap_or_default();
        let (names, text) = line.split_once('\t').unwrap_or_default();
        names
            .split(',')
            .for_each(|name| take(self.send(name, text)));
    }

    fn send(&self, name: &str, text: &str) -> DecodedRequest {
        let number = 1 + self.0.fetch_add(1, Ordering::Relaxed);
        let id = FrameId::parse(&number.to_string()).ok();
        let Ok(to) = Name::parse(name) else {
            return Err(Box::new(RejectedRequest {
                code: ErrorCode::InvalidId,
                id,
                message_id: None,
                fault: None,
            }));
        };
        let text = serde_json::to_string(text).expect("a text is JSON");
        let message = Message {
            kind: SendKind::Message,
            to,
            message_id: None,
            stream_id: None,
            reply_to: None,
            part: None,
            body: Body::from_members(format!("\"text\":{text}").into()),
        };
        let request = ClientRequest::Send(Send {
            from: None,
            timestamp_given: false,
            durable: false,
            message: Box::new(message),
        });
        Ok(IncomingRequest { id, request })
    }

    pub(super) fn encode(&self, outbound: &Outbound) -> Option<Bytes> {
        let number = |id: &Option<FrameId>| id.as_ref().map(FrameId::to_string).unwrap_or_default();
        let line = match outbound {
            Outbound::Delivery(envelope) if envelope.message.kind == SendKind::Message => {
                let text = text_of(&envelope.message.body);
                format!("{}\t{text}", envelope.from)
            }
            Outbound::Ack { id, status, .. } => {
                format!("ok {}\t{}", number(id), status.wire_name())
            }
            Outbound::Refusal { id, refusal } => format!("no {}\t{}", number(id), refusal.code),
            Outbound::Answer { answer, .. } => match &**answer {
                Answer::AuthOk(ok) => format!("hello {}", ok.client_id),
                Answer::Connected(_)
                | Answer::AuthError(_)
                | Answer::BotRegistered(_)
                | Answer::BotUnregistered(_)
                | Answer::Subscribed(_)
                | Answer::Unsubscribed(_)
                | Answer::Bots(_)
                | Answer::Connections(_)
                | Answer::Full(_)
                | Answer::Quota(_)
                | Answer::Migrate(_) => return None,
            },
            Outbound::Delivery(_) | Outbound::Pong { .. } | Outbound::Presence(_) => return None,
        };
        Some(line.into())
    }
}

fn text_of(body: &Body) -> String {
    let mut text = String::new();
    body.each_member(|key, member| {
        let value = member.strip_prefix(b"\"text\":\"");
        if key == b"text"
            && let Some(raw) = value.and_then(|value| value.strip_suffix(b"\""))
        {
            text = unescape(raw).unwrap_or_default().into_owned();
        }
    });
    text
}
