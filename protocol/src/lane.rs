//! What two nodes say to each other: packets of numbered envelopes and of acks.
//!
//! ```text
//!  src ── Packet { data: Batch { generation 3, first_seq 41, items: 41, 42, ·, 43 } } ──▶ dst
//!  src ◀─ Packet { ack: Ack { generation 3, upto 43, verdicts: 42 offline } } ─────────── dst
//! ```
//!
//! A packet is a head, a MessagePack map by member name, and the first 16 bytes of its HMAC-SHA256.
//! The head, in `lane/head.rs`, has the packet's wire version and the id of the key that signed it.
//! Each envelope has its own version; one that is unknown gets the verdict `refused(not_supported)`.
//! A sender writes both as [`Terms`] say. Members may be added; those below keep their meaning.
//!
//! How the two ends use these words is `router-core`'s `lane/`. Nothing here counts or repeats.

mod head;
mod keys;
mod terms;

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ErrorCode;
use crate::ids::BootId;
use crate::limits::{
    ENVELOPE_OVERHEAD_BYTES, LANE_ACK_BYTES_MAX, LANE_BATCH_BYTES, LANE_BATCH_ITEMS_MAX,
    LANE_ITEM_OVERHEAD_BYTES, LANE_PACKET_OVERHEAD_BYTES, LANE_VERDICTS_MAX,
};

use keys::MAC_BYTES;
pub use keys::{KeyId, LaneKeys};
pub use terms::{Mismatch, Terms};

/// One PUBLISH from a node to another: data, an ack for the other direction, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Who sends it.
    pub src: BootId,
    /// Whom it is for. A node with another boot id leaves it alone.
    pub dst: BootId,
    /// Envelopes of the lane `src` → `dst`.
    pub data: Option<Batch>,
    /// What became of envelopes of the lane `dst` → `src`.
    pub ack: Option<Ack>,
}

/// Envelopes in their order; those that are sequenced count up from `first_seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Which life of the lane; it only grows.
    pub generation: u64,
    /// The number of the first sequenced item, or of the next one to come if none is. From 1.
    pub first_seq: u64,
    /// The last `upto` that the sender has processed: verdicts up to it need no repetition.
    pub seen: u64,
    /// At least one.
    pub items: Vec<Item>,
}

/// One envelope in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Whether it has a number and is repeated until acknowledged; else it is best effort.
    pub sequenced: bool,
    /// [`Envelope::to_bytes`](crate::Envelope::to_bytes), with its wire version.
    pub envelope: Bytes,
}

/// What became of a lane's envelopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The life of the lane that it is about.
    pub generation: u64,
    /// Everything up to this number is decided.
    pub upto: u64,
    /// Something after `upto` came and was dropped, because what is between is missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gap: bool,
    /// The sender's boot id is buried: nothing it sends is delivered any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub buried: bool,
    /// What was not delivered, by number, for everything above the batch's `seen`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<(u64, Verdict)>,
}

impl Ack {
    /// What a node whose boot id is buried is told, whatever it sends in this life of its lane.
    pub fn buried(generation: u64) -> Self {
        Self {
            generation,
            upto: 0,
            gap: false,
            buried: true,
            verdicts: Vec::new(),
        }
    }
}

/// Why an envelope was not delivered. Those delivered have none.
///
/// Wire form: one text, `duplicate`, `moved:<boot id>`, `offline` or `refused:<reason>`. A text of
/// a later build reads as `refused:delivery_unknown`: an ack must not be lost over one verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its message id was delivered before.
    Duplicate,
    /// The recipient is on another node.
    Moved(BootId),
    /// The recipient is on no node that the receiver knows of.
    Offline,
    /// Anything else, as the sender's client is told it.
    Refused(ErrorCode),
}

/// Why bytes are no packet.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// Fewer bytes than a MAC has, or more than a packet may have.
    #[error("packet has {0} bytes")]
    Size(usize),
    /// Its head names a wire version that this build does not read.
    #[error("packet of wire version {0} is not understood")]
    Version(u16),
    /// Its head names a key of a secret that this node does not have.
    #[error("packet is signed with the secret {0}, which this node does not have")]
    Key(KeyId),
    /// No live secret made its MAC.
    #[error("packet is not signed with a secret of this node")]
    Mac,
    /// It is not MessagePack of this shape.
    #[error("packet is not well formed")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// More items or verdicts than a packet may have, none at all, or numbers below 1.
    #[error("packet breaks the rule on its {0}")]
    Count(&'static str),
}

/// Largest packet of a cluster whose largest frame has `frame_bytes`.
pub const fn packet_bytes_max(frame_bytes: usize) -> usize {
    let one = frame_bytes + ENVELOPE_OVERHEAD_BYTES + LANE_ITEM_OVERHEAD_BYTES;
    let data = if one > LANE_BATCH_BYTES {
        one
    } else {
        LANE_BATCH_BYTES
    };
    data + LANE_ACK_BYTES_MAX + LANE_PACKET_OVERHEAD_BYTES
}

impl PacketError {
    /// The metric label of each kind of error.
    pub const REASONS: [&'static str; 5] = ["size", "wire", "secret", "signature", "malformed"];

    /// Which of [`REASONS`](Self::REASONS) it is.
    pub const fn reason(&self) -> &'static str {
        match self {
            PacketError::Size(_) => "size",
            PacketError::Version(_) => "wire",
            PacketError::Key(_) => "secret",
            PacketError::Mac => "signature",
            PacketError::Malformed(_) | PacketError::Count(_) => "malformed",
        }
    }
}

impl Packet {
    /// What its source is told if that is buried: nothing that it carries is handled. Absent: it
    /// carries nothing.
    pub fn answer_to_buried(&self) -> Option<Packet> {
        let batch = self.data.as_ref()?;
        Some(Packet {
            src: self.dst,
            dst: self.src,
            data: None,
            ack: Some(Ack::buried(batch.generation)),
        })
    }

    /// Writes the packet for a node of this build that has the first of `keys`.
    pub fn to_bytes(&self, keys: &LaneKeys) -> Bytes {
        self.to_bytes_at(keys, Terms::NEWEST)
    }

    /// Writes the packet: its head, MessagePack, its MAC.
    pub fn to_bytes_at(&self, keys: &LaneKeys, terms: Terms) -> Bytes {
        let data: usize = self.data.iter().map(Batch::bytes).sum();
        let verdicts = self.ack.iter().map(|ack| 64 * ack.verdicts.len());
        let size = LANE_PACKET_OVERHEAD_BYTES + data + verdicts.sum::<usize>();
        let mut out = Vec::with_capacity(size);
        head::write(terms.wire, keys.signer_id(terms.key), &mut out);
        rmp_serde::encode::write_named(&mut out, &PacketForm::of(self))
            .expect("a packet has no unserialisable part");
        let mac = keys.sign(terms.key, &out);
        out.extend_from_slice(&mac);
        Bytes::from(out)
    }

    /// Reads what [`to_bytes_at`](Self::to_bytes_at) wrote. Its envelopes are slices of `bytes`.
    ///
    /// `frame_bytes`: the largest frame that any tenant may send. The MAC is checked before
    /// anything is read. Unknown members are passed over.
    pub fn from_bytes(
        bytes: &Bytes,
        keys: &LaneKeys,
        frame_bytes: usize,
    ) -> Result<Self, PacketError> {
        if bytes.len() > packet_bytes_max(frame_bytes) {
            return Err(PacketError::Size(bytes.len()));
        }
        let message = head::verified(bytes, keys)?;
        rmp_serde::from_slice::<PacketForm<'_>>(message)?.read(bytes)
    }

    /// The node that these bytes say they are from, if that can be read. Nobody has verified it: it
    /// is for the log only.
    pub fn claimed_src(bytes: &[u8]) -> Option<BootId> {
        head::claimed_src(bytes)
    }
}

impl Batch {
    /// What its items are charged with: their bytes and an overhead each.
    pub fn bytes(&self) -> usize {
        self.items.iter().map(|item| charge(&item.envelope)).sum()
    }

    fn best_effort(&self) -> impl Iterator<Item = usize> {
        let items = self.items.iter().enumerate();
        items.filter(|(_, item)| !item.sequenced).map(|(at, _)| at)
    }
}

/// What an envelope is charged with in a lane, bytes.
pub fn charge(envelope: &Bytes) -> usize {
    envelope.len() + LANE_ITEM_OVERHEAD_BYTES
}

/// A packet as it is written: envelopes borrowed, defaults left out.
#[derive(Serialize, Deserialize)]
struct PacketForm<'a> {
    src: BootId,
    dst: BootId,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    data: Option<BatchForm<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack: Option<Ack>,
}

/// What is true of few items has a list of its own: so an item is its bytes and a head of 3.
#[derive(Serialize, Deserialize)]
struct BatchForm<'a> {
    generation: u64,
    first_seq: u64,
    seen: u64,
    #[serde(borrow)]
    items: Vec<Binary<'a>>,
    /// Places among the items, from 0; what is not there is sequenced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    best_effort: Vec<usize>,
}

/// `&[u8]` is a sequence of numbers to serde otherwise.
#[derive(Deserialize)]
struct Binary<'a>(#[serde(borrow)] &'a [u8]);

impl Serialize for Binary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'a> PacketForm<'a> {
    fn of(packet: &'a Packet) -> Self {
        let data = packet.data.as_ref().map(|batch| BatchForm {
            generation: batch.generation,
            first_seq: batch.first_seq,
            seen: batch.seen,
            items: batch.items.iter().map(|it| Binary(&it.envelope)).collect(),
            best_effort: batch.best_effort().collect(),
        });
        Self {
            src: packet.src,
            dst: packet.dst,
            data,
            ack: packet.ack.clone(),
        }
    }

    fn read(self, bytes: &Bytes) -> Result<Packet, PacketError> {
        let data = self.data.map(|batch| batch.read(bytes)).transpose()?;
        if let Some(ack) = &self.ack
            && ack.verdicts.len() > LANE_VERDICTS_MAX
        {
            return Err(PacketError::Count("verdicts"));
        }
        Ok(Packet {
            src: self.src,
            dst: self.dst,
            data,
            ack: self.ack,
        })
    }
}

impl BatchForm<'_> {
    fn read(self, bytes: &Bytes) -> Result<Batch, PacketError> {
        if !(1..=LANE_BATCH_ITEMS_MAX).contains(&self.items.len()) {
            return Err(PacketError::Count("items"));
        }
        if self.generation == 0 || self.first_seq == 0 {
            return Err(PacketError::Count("numbers"));
        }
        let item = |item: Binary<'_>| Item {
            sequenced: true,
            envelope: bytes.slice_ref(item.0),
        };
        let mut batch = Batch {
            generation: self.generation,
            first_seq: self.first_seq,
            seen: self.seen,
            items: self.items.into_iter().map(item).collect(),
        };
        for at in self.best_effort {
            let item = batch.items.get_mut(at);
            item.ok_or(PacketError::Count("items"))?.sequenced = false;
        }
        if batch.items.len() > 1 && batch.bytes() > LANE_BATCH_BYTES {
            return Err(PacketError::Count("bytes"));
        }
        Ok(batch)
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Duplicate => f.write_str("duplicate"),
            Verdict::Moved(holder) => write!(f, "moved:{holder}"),
            Verdict::Offline => f.write_str("offline"),
            Verdict::Refused(code) => write!(f, "refused:{code}"),
        }
    }
}

impl Verdict {
    fn read(text: &str) -> Option<Self> {
        let reason = |name: &str| {
            let mut codes = ErrorCode::ALL.iter();
            codes.find(|code| code.reason() == name).copied()
        };
        match text.split_once(':') {
            None if text == "duplicate" => Some(Verdict::Duplicate),
            None if text == "offline" => Some(Verdict::Offline),
            Some(("moved", holder)) => holder.parse().ok().map(Verdict::Moved),
            Some(("refused", name)) => reason(name).map(Verdict::Refused),
            None | Some(_) => None,
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Verdict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::read(&text).unwrap_or(Verdict::Refused(ErrorCode::DeliveryUnknown)))
    }
}

#[cfg(test)]
mod tests;
