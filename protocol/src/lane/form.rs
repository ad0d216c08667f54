//! The MessagePack of a packet.

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

use super::error::PacketError;
use super::packet::{BatchItem, LaneAck, LaneBatch, Packet};
use crate::ids::BootId;
use crate::limits::{LANE_BATCH_BYTES, LANE_BATCH_ITEMS_MAX, LANE_VERDICTS_MAX};

/// A packet as it is written: envelopes borrowed, defaults left out.
#[derive(Serialize, Deserialize)]
pub(super) struct PacketForm<'a> {
    src: BootId,
    dst: BootId,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    data: Option<BatchForm<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack: Option<LaneAck>,
}

/// What is true of few items has a list of its own: so an item is its bytes and a head of 3.
#[derive(Serialize, Deserialize)]
struct BatchForm<'a> {
    generation: u64,
    first_seq: u64,
    seen: u64,
    #[serde(borrow)]
    items: Vec<BinarySlice<'a>>,
    /// Places among the items, from 0; what is not there is sequenced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    best_effort: Vec<usize>,
}

/// `&[u8]` is a sequence of numbers to serde otherwise.
#[derive(Deserialize)]
struct BinarySlice<'a>(#[serde(borrow)] &'a [u8]);

impl Serialize for BinarySlice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'a> PacketForm<'a> {
    pub(super) fn of(packet: &'a Packet) -> Self {
        let data = packet.data.as_ref().map(|batch| BatchForm {
            generation: batch.generation,
            first_seq: batch.first_seq,
            seen: batch.seen,
            items: batch
                .items
                .iter()
                .map(|it| BinarySlice(&it.envelope))
                .collect(),
            best_effort: batch.best_effort().collect(),
        });
        Self {
            src: packet.src,
            dst: packet.dst,
            data,
            ack: packet.ack.clone(),
        }
    }

    pub(super) fn read(self, bytes: &Bytes) -> Result<Packet, PacketError> {
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
    fn read(self, bytes: &Bytes) -> Result<LaneBatch, PacketError> {
        if !(1..=LANE_BATCH_ITEMS_MAX).contains(&self.items.len()) {
            return Err(PacketError::Count("items"));
        }
        if self.generation == 0 || self.first_seq == 0 {
            return Err(PacketError::Count("numbers"));
        }
        let item = |item: BinarySlice<'_>| BatchItem {
            sequenced: true,
            envelope: bytes.slice_ref(item.0),
        };
        let mut batch = LaneBatch {
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
