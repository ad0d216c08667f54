//! The reply that a call waits for: the whole `data` of a delivered message, or that of several parts
//! joined.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::envelope::Envelope;
use crate::json::walk_members;
use crate::message::{Body, SendKind};
use crate::shared::Shared;
use crate::t2b::encode::delivered_data;
use crate::t2b::value::inside;

/// A reply that is being delivered, whole or in parts.
///
/// The first message decides of how many parts it is; messages that are cut otherwise are passed
/// over, and a part that comes again changes nothing.
#[derive(Debug, Default)]
pub struct Reply {
    parts: u64,
    have: BTreeMap<u64, Arc<Shared<Envelope>>>,
}

impl Reply {
    /// Takes the next delivery. Returns the reply's whole `data` if this is the last that was missing;
    /// partials and typing are no part of it.
    ///
    /// `data` of a reply in parts is that of its first part, without `part` and `parts`, `text`
    /// being the texts of all in order.
    pub fn take(&mut self, envelope: Arc<Shared<Envelope>>) -> Option<Bytes> {
        if envelope.message.kind != SendKind::Message {
            return None;
        }
        let Some((part, parts)) = envelope.message.part else {
            return self.have.is_empty().then(|| delivered_data(&envelope));
        };
        if self.have.is_empty() {
            self.parts = parts;
        }
        if parts == self.parts {
            self.have.entry(part).or_insert(envelope);
        }
        (self.have.len() as u64 == self.parts).then(|| self.join())
    }

    fn join(&self) -> Bytes {
        let mut data = Vec::new();
        if let Some(first) = self.have.values().next() {
            // Without its body, which is cut.
            let mut envelope = Envelope::clone(first);
            envelope.message.body = Body::default();
            data.extend_from_slice(&delivered_data(&envelope));
            data.pop();
            first.message.body.each_member(|key, member| {
                if !matches!(key, b"part" | b"parts" | b"text") {
                    data.push(b',');
                    data.extend_from_slice(member);
                }
            });
        }
        data.extend_from_slice(b",\"text\":\"");
        for part in self.have.values() {
            append_text(&part.message.body, &mut data);
        }
        data.extend_from_slice(b"\"}");
        Bytes::from(data)
    }
}

/// Appends what is between the quotes of a body's `text`, if that is a text.
fn append_text(body: &Body, out: &mut Vec<u8>) {
    for run in body.runs() {
        // A run that is no JSON ends at its fault: the codec makes none.
        let _ = walk_members(run, |member| {
            if &*member.key(run) == b"text" {
                let text = &run[member.value.start as usize..member.value.end as usize];
                out.extend_from_slice(inside(text).unwrap_or_default());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::decode_message;
    use crate::ids::{ConnectionId, Name, TenantId};

    fn envelope(data: &str) -> Arc<Shared<Envelope>> {
        let mut send = decode_message(&Bytes::from(data.to_owned())).unwrap();
        send.message.message_id = None;
        Arc::new(Shared::new(Envelope {
            tenant: TenantId::parse("alice").unwrap(),
            from: Name::parse("bot_a").unwrap(),
            connection: ConnectionId::from_ulid(&"0".repeat(26)).unwrap(),
            idempotent: false,
            stamped_ms: None,
            trace: None,
            message: send.message,
        }))
    }

    fn taken(reply: &mut Reply, members: &str) -> Option<String> {
        let data = reply.take(envelope(&format!(r#"{{"to":"me",{members}}}"#)))?;
        let text = String::from_utf8(data.to_vec()).unwrap();
        let head = r#"{"from":"bot_a","to":"me","connectionId":"conn_00000000000000000000000000","#;
        Some(text.strip_prefix(head).expect(&text).to_owned())
    }

    #[test]
    fn a_whole_reply_is_its_data_to_the_byte() {
        let members = r#""text":"\ud800 \u0041","x":1,"x":{ }"#;
        let whole = taken(&mut Reply::default(), members).unwrap();
        assert_eq!(whole, format!("{members}}}"));
        let mut typing = Envelope::clone(&envelope(r#"{"to":"me","text":"no"}"#));
        typing.message.kind = SendKind::Typing;
        let typing = Arc::new(Shared::new(typing));
        assert_eq!(Reply::default().take(typing), None);
    }

    #[test]
    fn parts_are_joined_in_their_order_whichever_comes_first() {
        let mut reply = Reply::default();
        let part = |n, text| format!(r#""text":{text},"part":{n},"p\u0061rts":3,"z":0"#);
        assert_eq!(taken(&mut reply, &part(3, r#""\ude00!""#)), None);
        assert_eq!(taken(&mut reply, &part(3, r#""again""#)), None);
        assert_eq!(taken(&mut reply, &part(1, "null")), None);
        assert_eq!(taken(&mut reply, r#""text":"whole""#), None);
        let of_four = r#""text":"of four","part":2,"parts":4"#;
        assert_eq!(taken(&mut reply, of_four), None);
        let joined = taken(&mut reply, &part(2, r#""a\"\ud83d""#)).unwrap();
        assert_eq!(joined, r#""z":0,"text":"a\"\ud83d\ude00!"}"#);
        let value: serde_json::Value = serde_json::from_str(&format!("{{{joined}")).unwrap();
        assert_eq!(value["text"], "a\"😀!");
    }

    #[test]
    fn one_part_of_one_is_whole() {
        let joined = taken(&mut Reply::default(), r#""part":1,"parts":1"#).unwrap();
        assert_eq!(joined, r#""text":""}"#);
    }
}
