use proptest::prelude::*;

use super::*;
use crate::limits::ENVELOPE_OVERHEAD_BYTES;

fn sample(body: Body) -> Envelope {
    Envelope {
        tenant: TenantId::parse("alice").unwrap(),
        from: Name::parse("phone").unwrap(),
        connection: ConnectionId::parse("conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC").unwrap(),
        idempotent: true,
        stamped_ms: Some(1_763_695_000_000),
        trace: None,
        message: Box::new(Message {
            kind: SendKind::Message,
            to: Name::parse("bot_clawra").unwrap(),
            message_id: Some(MessageId::parse("m-1").unwrap()),
            stream_id: None,
            reply_to: None,
            part: Some((1, 2)),
            body,
        }),
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
    let envelope = sample(Body::new(text, smallvec::smallvec![1..6, 16..21]));
    let arrived = Envelope::from_bytes(&envelope.to_bytes()).unwrap();
    assert_eq!(
        arrived.message.body.runs().collect::<Vec<_>>(),
        [br#""a":1,"c":2"#]
    );
    assert_eq!(arrived.message.body, envelope.message.body.detach());
}

#[test]
fn a_member_of_a_later_build_is_passed_over() {
    let envelope = sample(members());
    let mut bytes = envelope.to_bytes().to_vec();
    bytes.splice(2..3, [0xdc, 0, MEMBERS as u8 + 1]);
    bytes.extend(rmp_serde::to_vec(&("new", [1])).unwrap());
    assert_eq!(Envelope::from_bytes(&bytes.into()).unwrap(), envelope);
}

#[test]
fn what_an_earlier_build_does_not_say_is_absent() {
    let mut envelope = sample(members());
    envelope.message.part = None;
    let mut bytes = envelope.to_bytes().to_vec();
    assert!(bytes.ends_with(&[NIL; 4]));
    bytes.truncate(bytes.len() - 4);
    bytes[2] -= 4;
    assert_eq!(
        Envelope::from_bytes(&bytes.clone().into()).unwrap(),
        envelope
    );
    bytes[2] -= 1;
    assert!(Envelope::from_bytes(&bytes.into()).is_err(), "no body");
}

#[test]
fn half_a_part_is_none() {
    let mut bytes = sample(members()).to_bytes().to_vec();
    let at = bytes.len() - 2;
    assert_eq!(bytes[at - 1..], [1, 2, NIL]);
    bytes[at] = NIL;
    assert!(Envelope::from_bytes(&bytes.into()).is_err());
}

#[test]
fn a_body_is_a_slice_of_what_came() {
    let bytes = sample(members()).to_bytes();
    let envelope = Envelope::from_bytes(&bytes).unwrap();
    let body = envelope.message.body.runs().next().unwrap();
    assert!(bytes.as_ptr_range().contains(&body.as_ptr()));
}

#[test]
fn a_version_outside_ours_is_named() {
    for version in [0, WIRE[1] + 1, u16::MAX] {
        let mut bytes = sample(members()).to_bytes().to_vec();
        bytes[..2].copy_from_slice(&version.to_be_bytes());
        let error = Envelope::from_bytes(&bytes.into()).unwrap_err();
        assert_eq!(error, EnvelopeError::Version(version));
    }
}

#[test]
fn two_nodes_speak_the_lower_maximum() {
    let [min, max] = WIRE;
    assert_eq!(common_wire(WIRE, WIRE), Some(max));
    assert_eq!(common_wire(WIRE, [min, max + 1]), Some(max));
    assert_eq!(common_wire(WIRE, [max + 1, max + 2]), None);
    assert_eq!(common_wire(WIRE, [min - 1, min - 1]), None);
    let bytes = sample(members()).to_bytes_at(max + 1);
    let error = Envelope::from_bytes(&bytes).unwrap_err();
    assert_eq!(error, EnvelopeError::Version(max + 1));
}

#[test]
fn the_longest_names_fit_the_overhead() {
    let mut envelope = sample(Body::from_members(Bytes::new()));
    envelope.tenant = TenantId::parse(&"t".repeat(64)).unwrap();
    envelope.from = Name::parse(&"f".repeat(80)).unwrap();
    envelope.message.to = Name::parse(&"r".repeat(80)).unwrap();
    envelope.message.message_id = MessageId::parse(&"m".repeat(64)).ok();
    envelope.message.stream_id = StreamId::parse(&"s".repeat(64)).ok();
    envelope.message.reply_to = MessageId::parse(&"r".repeat(64)).ok();
    envelope.message.part = Some((u64::MAX, u64::MAX));
    envelope.stamped_ms = Some(u64::MAX);
    let bytes = envelope.to_bytes().len();
    assert!(bytes < ENVELOPE_OVERHEAD_BYTES);
    let texts = envelope.texts().map(|text| text.map_or(0, str::len));
    let most = HEADS_BYTES + texts.iter().sum::<usize>();
    assert!(bytes <= most, "one allocation does");
}

proptest! {
    #[test]
    fn cut_or_changed_bytes_never_panic(
        cut in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let bytes = sample(members()).to_bytes();
        prop_assert!(Envelope::from_bytes(&bytes.slice(..cut.index(bytes.len()))).is_err());
        let mut changed = bytes.to_vec();
        changed[at.index(bytes.len())] = byte;
        if let Ok(envelope) = Envelope::from_bytes(&changed.into()) {
            envelope.to_bytes();
        }
    }
}
