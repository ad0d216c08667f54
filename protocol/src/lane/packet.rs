//! Packets of numbered envelopes and of acks, as values.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::verdict::Verdict;
use crate::ids::BootId;
use crate::limits::LANE_ITEM_OVERHEAD_BYTES;

/// One PUBLISH from a node to another: data, an ack for the other direction, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Who sends it.
    pub src: BootId,
    /// Whom it is for. A node with another boot id leaves it alone.
    pub dst: BootId,
    /// Envelopes of the lane `src` → `dst`.
    pub data: Option<LaneBatch>,
    /// What became of envelopes of the lane `dst` → `src`.
    pub ack: Option<LaneAck>,
}

/// Envelopes in their order; those that are sequenced count up from `first_seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneBatch {
    /// Which life of the lane; it only grows.
    pub generation: u64,
    /// The number of the first sequenced item, or of the next one to come if none is. From 1.
    pub first_seq: u64,
    /// The last `upto` that the sender has processed: verdicts up to it need no repetition.
    pub seen: u64,
    /// At least one.
    pub items: Vec<BatchItem>,
}

/// One envelope in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// Whether it has a number and is repeated until acknowledged; else it is best effort.
    pub sequenced: bool,
    /// [`Envelope::to_bytes`](crate::Envelope::to_bytes), with its wire version.
    pub envelope: Bytes,
}

/// What became of a lane's envelopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneAck {
    /// The life of the lane that it is about.
    pub generation: u64,
    /// Everything up to this number is decided.
    pub upto: u64,
    /// Something after `upto` came and was dropped, because what is between is missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gap: bool,
    /// The sender's boot id is evicted: nothing it sends is delivered any more.
    #[serde(rename = "buried", default, skip_serializing_if = "is_false")]
    pub evicted: bool,
    /// What was not delivered, by number, for everything above the batch's `seen`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<(u64, Verdict)>,
}

impl LaneAck {
    /// What a node whose boot id is evicted is told, whatever it sends in this life of its lane.
    pub fn evicted(generation: u64) -> Self {
        Self {
            generation,
            upto: 0,
            gap: false,
            evicted: true,
            verdicts: Vec::new(),
        }
    }
}

impl Packet {
    /// A packet that carries nothing: what its source says of itself has changed. Builds that do not know this pass
    /// over it.
    pub fn empty(src: BootId, dst: BootId) -> Packet {
        Packet {
            src,
            dst,
            data: None,
            ack: None,
        }
    }

    /// Whether it carries nothing.
    pub fn is_empty(&self) -> bool {
        self.data.is_none() && self.ack.is_none()
    }

    /// What its source is told if that is evicted: nothing that it carries is handled. Absent: it
    /// carries nothing.
    pub fn answer_to_evicted(&self) -> Option<Packet> {
        let batch = self.data.as_ref()?;
        Some(Packet {
            src: self.dst,
            dst: self.src,
            data: None,
            ack: Some(LaneAck::evicted(batch.generation)),
        })
    }
}

impl LaneBatch {
    /// What its items are charged with: their bytes and an overhead each.
    pub fn bytes(&self) -> usize {
        self.items.iter().map(|item| charge(&item.envelope)).sum()
    }

    pub(super) fn best_effort(&self) -> impl Iterator<Item = usize> {
        let items = self.items.iter().enumerate();
        items.filter(|(_, item)| !item.sequenced).map(|(at, _)| at)
    }
}

/// What an envelope is charged with in a lane, bytes.
pub fn charge(envelope: &Bytes) -> usize {
    envelope.len() + LANE_ITEM_OVERHEAD_BYTES
}

fn is_false(flag: &bool) -> bool {
    !flag
}
