//! Packets between values and bytes: a head, MessagePack and a MAC.

use bytes::Bytes;

use super::error::PacketError;
use super::form::PacketForm;
use super::head;
use super::keys::LaneKeys;
use super::packet::{LaneBatch, Packet};
use super::terms::LaneTerms;
use crate::ids::BootId;
use crate::limits::{
    ENVELOPE_OVERHEAD_BYTES, LANE_ACK_BYTES_MAX, LANE_BATCH_BYTES, LANE_ITEM_OVERHEAD_BYTES,
    LANE_PACKET_OVERHEAD_BYTES,
};

/// Largest packet of a cluster whose largest frame has `frame_bytes`.
pub(crate) const fn packet_bytes_max(frame_bytes: usize) -> usize {
    let one = frame_bytes + ENVELOPE_OVERHEAD_BYTES + LANE_ITEM_OVERHEAD_BYTES;
    let data = if one > LANE_BATCH_BYTES {
        one
    } else {
        LANE_BATCH_BYTES
    };
    data + LANE_ACK_BYTES_MAX + LANE_PACKET_OVERHEAD_BYTES
}

impl Packet {
    /// Writes the packet for a node of this build that has the first of `keys`.
    pub fn to_bytes(&self, keys: &LaneKeys) -> Bytes {
        self.to_bytes_at(keys, LaneTerms::NEWEST)
    }

    /// Writes the packet: its head, MessagePack, its MAC.
    pub fn to_bytes_at(&self, keys: &LaneKeys, terms: LaneTerms) -> Bytes {
        let data: usize = self.data.iter().map(LaneBatch::bytes).sum();
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
