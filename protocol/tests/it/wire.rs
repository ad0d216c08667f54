//! The golden vectors of what nodes send each other. Those of a wire version are kept for good: a
//! node of the next version still reads them, and still writes them for a node of this one.

use bytes::Bytes;
use protocol::envelope::WIRE;
use protocol::lane::{BatchItem, LaneAck, LaneBatch, LaneKeys, LaneTerms, Packet};
use protocol::message::{Body, Message, SendKind};
use protocol::{BootId, ConnectionId, Envelope, MessageId, Name, Secret, StreamId, TenantId};
use serde::Deserialize;

use crate::vectors::load_one;

/// What a file of a wire version holds. Bytes are in hexadecimal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    version: u16,
    secret: String,
    envelopes: Vec<EnvelopeVector>,
    packets: Vec<PacketVector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeVector {
    name: String,
    envelope: EnvelopeForm,
    bytes: String,
}

/// An envelope with its body as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeForm {
    tenant: TenantId,
    kind: SendKind,
    from: Name,
    connection: ConnectionId,
    to: Name,
    message_id: Option<MessageId>,
    idempotent: bool,
    stream_id: Option<StreamId>,
    reply_to: Option<MessageId>,
    part: Option<(u64, u64)>,
    stamped_ms: Option<u64>,
    trace: Option<Box<str>>,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PacketVector {
    name: String,
    packet: PacketForm,
    bytes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PacketForm {
    src: BootId,
    dst: BootId,
    data: Option<BatchForm>,
    ack: Option<LaneAck>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchForm {
    generation: u64,
    first_seq: u64,
    seen: u64,
    items: Vec<ItemForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemForm {
    sequenced: bool,
    envelope: String,
}

fn unhex(text: &str) -> Bytes {
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("is ASCII");
        u8::from_str_radix(pair, 16).expect("is hexadecimal")
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

impl EnvelopeForm {
    fn envelope(self) -> Envelope {
        Envelope {
            tenant: self.tenant,
            from: self.from,
            connection: self.connection,
            idempotent: self.idempotent,
            stamped_ms: self.stamped_ms,
            trace: self.trace,
            message: Box::new(Message {
                kind: self.kind,
                to: self.to,
                message_id: self.message_id,
                stream_id: self.stream_id,
                reply_to: self.reply_to,
                part: self.part,
                body: Body::from_members(self.body.into()),
            }),
        }
    }
}

impl PacketForm {
    fn packet(self) -> Packet {
        let item = |item: ItemForm| BatchItem {
            sequenced: item.sequenced,
            envelope: unhex(&item.envelope),
        };
        let batch = |batch: BatchForm| LaneBatch {
            generation: batch.generation,
            first_seq: batch.first_seq,
            seen: batch.seen,
            items: batch.items.into_iter().map(item).collect(),
        };
        Packet {
            src: self.src,
            dst: self.dst,
            data: self.data.map(batch),
            ack: self.ack,
        }
    }
}

#[test]
fn wire_version_1() {
    check("wire_v1.json", 1);
}

#[test]
fn wire_version_2() {
    check("wire_v2.json", 2);
}

/// What is written is these bytes, and these bytes are read.
fn check(file: &str, wire: u16) {
    let vectors: Vectors = load_one(file);
    assert_eq!(vectors.version, wire, "{file}");
    for vector in vectors.envelopes {
        let (envelope, bytes) = (vector.envelope.envelope(), unhex(&vector.bytes));
        let read = Envelope::from_bytes(&bytes).expect(&vector.name);
        assert_eq!(read, envelope, "{}", vector.name);
        assert_eq!(envelope.to_bytes_at(wire), bytes, "{}", vector.name);
    }
    let keys = LaneKeys::new(&[Secret::new(vectors.secret)]);
    for vector in vectors.packets {
        let (packet, bytes) = (vector.packet.packet(), unhex(&vector.bytes));
        let read = Packet::from_bytes(&bytes, &keys, 0).expect(&vector.name);
        assert_eq!(read, packet, "{}", vector.name);
        let terms = LaneTerms { wire, key: None };
        assert_eq!(packet.to_bytes_at(&keys, terms), bytes, "{}", vector.name);
    }
}

#[test]
fn every_wire_version_has_vectors() {
    let of = |wire: u16| format!("tests/vectors/wire_v{wire}.json");
    for wire in 1..=WIRE[1] {
        assert!(std::path::Path::new(&of(wire)).exists(), "{}", of(wire));
    }
    assert!(!std::path::Path::new(&of(WIRE[1] + 1)).exists());
}
