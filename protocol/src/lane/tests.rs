use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::codec::packet_bytes_max;
use super::keys::MAC_BYTES;
use super::*;
use crate::envelope::WIRE;
use crate::error::ErrorCode;
use crate::ids::BootId;
use crate::limits::{
    ENVELOPE_OVERHEAD_BYTES, LANE_ACK_BYTES_MAX, LANE_BATCH_BYTES, LANE_BATCH_ITEMS_MAX,
    LANE_ITEM_OVERHEAD_BYTES, LANE_VERDICTS_MAX,
};
use crate::secret::Secret;

const FRAME: usize = 256 * 1024;

fn keys(secrets: &[&str]) -> LaneKeys {
    let each = secrets
        .iter()
        .map(|secret| Secret::new((*secret).to_owned()));
    LaneKeys::new(&each.collect::<Vec<_>>())
}

fn boots() -> (BootId, BootId) {
    (BootId::from_bits(1), BootId::from_bits(u128::MAX))
}

fn item(bytes: usize, sequenced: bool) -> BatchItem {
    BatchItem {
        sequenced,
        envelope: Bytes::from(vec![b'x'; bytes]),
    }
}

fn batch(items: Vec<BatchItem>) -> Packet {
    let (src, dst) = boots();
    let data = LaneBatch {
        generation: u64::MAX,
        first_seq: u64::MAX,
        seen: u64::MAX,
        items,
    };
    Packet {
        src,
        dst,
        data: Some(data),
        ack: None,
    }
}

fn ack(verdicts: usize) -> LaneAck {
    let (holder, _) = boots();
    LaneAck {
        generation: u64::MAX,
        upto: u64::MAX,
        gap: true,
        evicted: true,
        verdicts: vec![(u64::MAX, Verdict::Moved(holder)); verdicts],
    }
}

fn again(packet: &Packet) -> Result<Packet, PacketError> {
    let keys = keys(&["secret"]);
    Packet::from_bytes(&packet.to_bytes(&keys), &keys, FRAME)
}

/// Anything, as a node that has the secret would sign it.
fn signed(mut message: Vec<u8>) -> Result<Packet, PacketError> {
    let keys = keys(&["secret"]);
    let mac = keys.sign(None, &message);
    message.extend(mac);
    Packet::from_bytes(&Bytes::from(message), &keys, FRAME)
}

fn signed_json(value: &serde_json::Value) -> Result<Packet, PacketError> {
    signed(rmp_serde::to_vec_named(value).unwrap())
}

#[test]
fn envelopes_are_slices_of_the_packet() {
    let keys = keys(&["secret"]);
    let bytes = batch(vec![item(300, true), item(0, false)]).to_bytes(&keys);
    let read = Packet::from_bytes(&bytes, &keys, FRAME).unwrap();
    let envelope = &read.data.unwrap().items[0].envelope;
    assert!(bytes.as_ptr_range().contains(&envelope.as_ptr()));
}

#[test]
fn every_live_secret_verifies_and_the_first_signs() {
    let packet = batch(vec![item(1, true)]);
    let read = |by: &[&str], with: &[&str]| {
        let bytes = packet.to_bytes(&keys(by));
        Packet::from_bytes(&bytes, &keys(with), FRAME)
    };
    assert_eq!(read(&["new", "old"], &["new"]).unwrap(), packet);
    assert_eq!(read(&["old"], &["new", "old"]).unwrap(), packet);
    for (by, with) in [(["new", "old"], ["old"]), (["other", "new"], ["new"])] {
        assert!(matches!(read(&by, &with), Err(PacketError::Key(id)) if id == keys(&by).ids()[0]));
    }
}

#[test]
fn any_secret_signs_if_the_terms_say_so() {
    let packet = batch(vec![item(1, true)]);
    let own = keys(&["new", "old"]);
    for (at, secret) in ["new", "old"].into_iter().enumerate() {
        for wire in WIRE[0]..=WIRE[1] {
            let key = Some(own.ids()[at]);
            let bytes = packet.to_bytes_at(&own, LaneTerms { wire, key });
            let read = Packet::from_bytes(&bytes, &keys(&[secret]), FRAME);
            assert_eq!(read.unwrap(), packet, "{secret} {wire}");
            let other = Packet::from_bytes(&bytes, &keys(&["other"]), FRAME);
            assert!(other.is_err(), "{secret} {wire}");
        }
    }
}

#[test]
fn a_key_id_without_its_key_proves_nothing() {
    let packet = batch(vec![item(1, true)]);
    let (own, forger) = (keys(&["secret"]), keys(&["forger"]));
    let mut bytes = packet.to_bytes(&forger).to_vec();
    bytes[3..7].copy_from_slice(&own.ids()[0].0);
    let read = Packet::from_bytes(&bytes.into(), &own, FRAME);
    assert!(matches!(read, Err(PacketError::Mac)));
}

#[test]
fn the_sender_of_a_packet_that_is_not_understood_can_be_read() {
    let packet = batch(vec![item(1, true)]);
    let own = keys(&["secret"]);
    for wire in [1, 2, 3, u16::MAX] {
        let bytes = packet.to_bytes_at(&own, LaneTerms { wire, key: None });
        assert_eq!(Packet::claimed_src(&bytes), Some(packet.src), "{wire}");
        let read = Packet::from_bytes(&bytes, &own, FRAME);
        match wire {
            1 | 2 => assert_eq!(read.unwrap(), packet),
            _ => assert!(matches!(read, Err(PacketError::Version(told)) if told == wire)),
        }
        for cut in 0..bytes.len() {
            let src = Packet::claimed_src(&bytes[..cut]);
            assert!(src.is_none() || src == Some(packet.src));
        }
    }
    for junk in [&b""[..], b"\xc1", b"\x83\xa3src\xba", &[0xff; 64]] {
        assert_eq!(Packet::claimed_src(junk), None);
    }
}

#[test]
fn a_batch_has_1_to_1024_items_and_64_kib() {
    let items = |count: usize, bytes| vec![item(bytes, true); count];
    for (items, good) in [
        (items(1, 0), true),
        (items(LANE_BATCH_ITEMS_MAX, 0), true),
        (items(LANE_BATCH_ITEMS_MAX + 1, 0), false),
        (
            items(2, LANE_BATCH_BYTES / 2 - LANE_ITEM_OVERHEAD_BYTES),
            true,
        ),
        (items(2, LANE_BATCH_BYTES / 2), false),
        (items(1, FRAME + ENVELOPE_OVERHEAD_BYTES), true),
        (items(0, 0), false),
    ] {
        let packet = batch(items);
        let read = again(&packet);
        if good {
            assert_eq!(read.unwrap(), packet);
        } else {
            assert!(matches!(read, Err(PacketError::Count(_))), "{read:?}");
        }
    }
}

#[test]
fn numbers_begin_at_1() {
    for (generation, first_seq) in [(0, 1), (1, 0)] {
        let mut packet = batch(vec![item(1, true)]);
        let data = packet.data.as_mut().unwrap();
        (data.generation, data.first_seq) = (generation, first_seq);
        assert!(matches!(again(&packet), Err(PacketError::Count(_))));
    }
}

#[test]
fn the_fullest_packet_passes_and_a_larger_is_not_looked_at() {
    let envelope = item(FRAME + ENVELOPE_OVERHEAD_BYTES, false);
    let mut packet = batch(vec![envelope]);
    packet.ack = Some(ack(LANE_VERDICTS_MAX));
    assert_eq!(again(&packet).unwrap(), packet);
    packet.ack = Some(ack(LANE_VERDICTS_MAX + 1));
    assert!(matches!(
        again(&packet),
        Err(PacketError::Count("verdicts"))
    ));
    let most = packet_bytes_max(FRAME);
    assert!(!matches!(
        signed(vec![0; most - 16]),
        Err(PacketError::Size(_))
    ));
    assert!(matches!(
        signed(vec![0; most - 15]),
        Err(PacketError::Size(_))
    ));
}

#[test]
fn the_largest_ack_fits_its_bound() {
    let bytes = rmp_serde::to_vec_named(&ack(LANE_VERDICTS_MAX)).unwrap();
    assert!(bytes.len() <= LANE_ACK_BYTES_MAX, "{}", bytes.len());
    for code in ErrorCode::ALL {
        assert!(Verdict::Refused(*code).to_string().len() <= 64 - 12);
    }
}

#[test]
fn verdicts_are_texts_and_one_of_a_later_build_is_no_delivery() {
    let (holder, _) = boots();
    let codes = ErrorCode::ALL.iter().copied().map(Verdict::Refused);
    let others = [Verdict::Duplicate, Verdict::Offline, Verdict::Moved(holder)];
    for verdict in codes.chain(others) {
        let text = serde_json::to_value(verdict).unwrap();
        assert_eq!(serde_json::from_value::<Verdict>(text).unwrap(), verdict);
    }
    let unknown = Verdict::Refused(ErrorCode::DeliveryUnknown);
    for text in [
        "",
        "delivered",
        "duplicate:x",
        "moved:x",
        "moved",
        "refused:new",
    ] {
        let read = serde_json::from_value::<Verdict>(text.into()).unwrap();
        assert_eq!(read, unknown, "{text}");
    }
}

#[test]
fn members_of_a_later_build_are_passed_over() {
    let (src, dst) = boots();
    let packet = Packet {
        src,
        dst,
        data: None,
        ack: Some(ack(1)),
    };
    let mut form = json!({ "src": src, "dst": dst, "ack": ack(1), "hops": [{ "new": 1 }] });
    form["ack"]["load"] = json!(0.5);
    assert_eq!(signed_json(&form).unwrap(), packet);
}

#[test]
fn nesting_without_end_is_refused() {
    let mut message = b"\x81\xa1x".to_vec();
    message.resize(200_000, 0x91);
    assert!(matches!(signed(message), Err(PacketError::Malformed(_))));
}

#[test]
fn a_length_that_lies_reserves_nothing() {
    for head in [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ] {
        let mut message = b"\x81\xa4data\x81\xa5items".to_vec();
        message.extend(head);
        assert!(matches!(signed(message), Err(PacketError::Malformed(_))));
    }
}

#[test]
fn debug_hides_the_keys() {
    assert_eq!(format!("{:?}", keys(&["a", "b"])), "LaneKeys(2)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_is_read(
        sizes in prop::collection::vec((0..2000usize, any::<bool>()), 1..20),
        verdicts in 0..5usize,
    ) {
        let mut packet = batch(sizes.iter().map(|(size, is)| item(*size, *is)).collect());
        packet.ack = (verdicts > 0).then(|| ack(verdicts - 1));
        prop_assert_eq!(again(&packet).unwrap(), packet);
    }

    #[test]
    fn cut_or_changed_bytes_are_refused(
        cut in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let keys = keys(&["secret", "other"]);
        let bytes = batch(vec![item(100, true)]).to_bytes(&keys);
        let cut = bytes.slice(..cut.index(bytes.len()));
        prop_assert!(Packet::from_bytes(&cut, &keys, FRAME).is_err());
        let mut changed = bytes.to_vec();
        changed[at.index(bytes.len())] ^= flip;
        let read = Packet::from_bytes(&Bytes::from(changed), &keys, FRAME);
        prop_assert!(matches!(
            read,
            Err(PacketError::Mac | PacketError::Key(_) | PacketError::Version(_))
        ));
    }

    #[test]
    fn what_somebody_with_the_secret_signs_never_panics(
        junk in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let _ = signed(junk);
        let mut packet = batch(vec![item(3, true), item(0, false)]);
        packet.ack = Some(ack(2));
        let mut message = packet.to_bytes(&keys(&["secret"])).to_vec();
        message.truncate(message.len() - MAC_BYTES);
        let at = at.index(message.len());
        message[at] = byte;
        if let Ok(packet) = signed(message) {
            prop_assert_eq!(again(&packet).unwrap(), packet);
        }
    }
}
