//! What one node sends another, and what a session hands to its tenant: a message with an address.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::frame::{Body, SendKind};
use crate::ids::{ConnectionId, MessageId, Name, StreamId, TenantId};

/// The wire versions of envelopes that this build reads and writes: `[min, max]`.
pub const WIRE: [u16; 2] = [1, 1];

/// The version to write for a node that reads `theirs`, `[min, max]`: the lower maximum. `None` if
/// we have none in common.
pub fn common_wire(theirs: [u16; 2]) -> Option<u16> {
    let version = WIRE[1].min(theirs[1]);
    (version >= WIRE[0].max(theirs[0])).then_some(version)
}

/// A message of the family on its way to its recipient.
///
/// Shape on the wire: MessagePack map by member name (so that members may be added), the body as
/// one binary run of JSON members. The tenant is copied from the sender's permit, never read from
/// a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Whose message it is.
    pub tenant: TenantId,
    /// Which frame it becomes.
    pub kind: SendKind,
    /// The sender: a bot it holds, or its client id.
    pub from: Name,
    /// The sender's connection.
    pub connection: ConnectionId,
    /// The recipient as the sender named it.
    pub to: Name,
    /// Present for messages: the sender's key, or a ULID of the gateway.
    pub message_id: Option<MessageId>,
    /// Whether `message_id` is the sender's, and so an idempotency key.
    pub idempotent: bool,
    /// The stream that a partial belongs to, or that a message ends.
    pub stream_id: Option<StreamId>,
    /// The message that it answers; it stands in the body too.
    #[serde(default)]
    pub reply_to: Option<MessageId>,
    /// Which part of how many it is, if it is one: (1 to n, n); it stands in the body too.
    #[serde(default)]
    pub part: Option<(u64, u64)>,
    /// When the gateway took it, Unix milliseconds, if the sender gave no `timestamp` of its own.
    pub stamped_ms: Option<u64>,
    /// The trace that it belongs to, if it is sampled. Source: W3C Trace Context, `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Box<str>>,
    /// The rest of `data`, verbatim.
    #[serde(serialize_with = "body_out", deserialize_with = "body_in")]
    pub body: Body,
}

/// Why bytes are no envelope.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The first two bytes name a version outside [`WIRE`].
    #[error("envelope of wire version {0} is not understood")]
    Version(u16),
    /// Fewer bytes than a version takes.
    #[error("envelope is cut short")]
    Short,
    /// The rest is not MessagePack of this shape.
    #[error("envelope is not well formed")]
    Malformed(#[from] rmp_serde::decode::Error),
}

impl Envelope {
    /// Writes the envelope for this build: the wire version (two bytes, big endian), then MessagePack.
    pub fn to_bytes(&self) -> Bytes {
        self.to_bytes_at(WIRE[1])
    }

    /// Writes the envelope for a node of the wire version `version`, from
    /// [`common_wire`]. There is one version so far, so only the number depends on it.
    pub fn to_bytes_at(&self, version: u16) -> Bytes {
        let mut out = Vec::with_capacity(256 + self.body.len());
        out.extend_from_slice(&version.to_be_bytes());
        rmp_serde::encode::write_named(&mut out, self)
            .expect("an envelope has no unserialisable part");
        Bytes::from(out)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Unknown members are passed over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let (version, rest) = bytes.split_first_chunk::<2>().ok_or(EnvelopeError::Short)?;
        let version = u16::from_be_bytes(*version);
        if !(WIRE[0]..=WIRE[1]).contains(&version) {
            return Err(EnvelopeError::Version(version));
        }
        Ok(rmp_serde::from_slice(rest)?)
    }
}

fn body_out<S: Serializer>(body: &Body, serializer: S) -> Result<S::Ok, S::Error> {
    let mut runs = body.runs();
    match (runs.next(), runs.next()) {
        (None, _) => serializer.serialize_bytes(b""),
        (Some(only), None) => serializer.serialize_bytes(only),
        (Some(_), Some(_)) => {
            serializer.serialize_bytes(body.detach().runs().next().unwrap_or(b""))
        }
    }
}

fn body_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Body, D::Error> {
    Bytes::deserialize(deserializer).map(Body::from_members)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::limits::ENVELOPE_OVERHEAD_BYTES;

    fn sample(body: Body) -> Envelope {
        Envelope {
            tenant: TenantId::parse("alice").unwrap(),
            kind: SendKind::Message,
            from: Name::parse("phone").unwrap(),
            connection: ConnectionId::parse("conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC").unwrap(),
            to: Name::parse("bot_clawra").unwrap(),
            message_id: Some(MessageId::parse("m-1").unwrap()),
            idempotent: true,
            stream_id: None,
            reply_to: None,
            part: Some((1, 2)),
            stamped_ms: Some(1_763_695_000_000),
            trace: None,
            body,
        }
    }

    fn members() -> Body {
        Body::from_members(Bytes::from_static(br#""text":"hi \ud800","x":[1]"#))
    }

    #[test]
    fn what_is_written_is_read() {
        for body in [members(), Body::from_members(Bytes::new())] {
            let envelope = sample(body);
            assert_eq!(
                Envelope::from_bytes(&envelope.to_bytes()).unwrap(),
                envelope
            );
        }
    }

    #[test]
    fn a_body_of_several_runs_arrives_as_one() {
        let text = Bytes::from_static(br#"{"a":1,"to":"b","c":2}"#);
        let envelope = sample(Body::new(text, [1..6, 16..21]));
        let arrived = Envelope::from_bytes(&envelope.to_bytes()).unwrap();
        assert_eq!(arrived.body.runs().collect::<Vec<_>>(), [br#""a":1,"c":2"#]);
        assert_eq!(arrived.body, envelope.body.detach());
    }

    #[test]
    fn a_member_of_a_later_build_is_passed_over() {
        let envelope = sample(Body::from_members(Bytes::new()));
        let mut map = serde_json::to_value(&envelope).unwrap();
        map["hops"] = json!({ "new": [1] });
        let mut bytes = WIRE[1].to_be_bytes().to_vec();
        bytes.extend(rmp_serde::to_vec_named(&map).unwrap());
        assert_eq!(Envelope::from_bytes(&bytes).unwrap(), envelope);
    }

    #[test]
    fn a_version_outside_ours_is_named() {
        for version in [0, WIRE[1] + 1, u16::MAX] {
            let mut bytes = sample(members()).to_bytes().to_vec();
            bytes[..2].copy_from_slice(&version.to_be_bytes());
            let error = Envelope::from_bytes(&bytes).unwrap_err();
            assert!(matches!(error, EnvelopeError::Version(named) if named == version));
        }
    }

    #[test]
    fn two_nodes_speak_the_lower_maximum() {
        let [min, max] = WIRE;
        assert_eq!(common_wire(WIRE), Some(max));
        assert_eq!(common_wire([min, max + 1]), Some(max));
        assert_eq!(common_wire([max + 1, max + 2]), None);
        assert_eq!(common_wire([min - 1, min - 1]), None);
        let bytes = sample(members()).to_bytes_at(max + 1);
        let error = Envelope::from_bytes(&bytes).unwrap_err();
        assert!(matches!(error, EnvelopeError::Version(named) if named == max + 1));
    }

    #[test]
    fn the_longest_names_fit_the_overhead() {
        let mut envelope = sample(Body::from_members(Bytes::new()));
        envelope.tenant = TenantId::parse(&"t".repeat(64)).unwrap();
        envelope.from = Name::parse(&"f".repeat(80)).unwrap();
        envelope.to = Name::parse(&"r".repeat(80)).unwrap();
        envelope.message_id = MessageId::parse(&"m".repeat(64)).ok();
        envelope.stream_id = StreamId::parse(&"s".repeat(64)).ok();
        envelope.reply_to = MessageId::parse(&"r".repeat(64)).ok();
        envelope.part = Some((u64::MAX, u64::MAX));
        assert!(envelope.to_bytes().len() < ENVELOPE_OVERHEAD_BYTES);
    }

    proptest! {
        #[test]
        fn cut_or_changed_bytes_never_panic(
            cut in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let bytes = sample(members()).to_bytes();
            prop_assert!(Envelope::from_bytes(&bytes[..cut.index(bytes.len())]).is_err());
            let mut changed = bytes.to_vec();
            changed[at.index(bytes.len())] = byte;
            if let Ok(envelope) = Envelope::from_bytes(&changed) {
                envelope.to_bytes();
            }
        }
    }
}
