//! An earlier build: wire version 1, and envelopes without `reply_to`, `part` and `trace`.
//!
//! This is the test that a mixed cluster works: half of the machines read and write so, and the
//! others must write for them and read them.

use bytes::Bytes;
use protocol::Envelope;

/// The wire versions of the older build.
pub(crate) const OLDER_WIRE: [u16; 2] = [1, 1];
/// The members that the older build did not know; they are the last.
const UNKNOWN: u8 = 4;

/// The same envelope, which is for a node of whatever build, without them.
pub fn older(envelope: &Bytes) -> Bytes {
    let Ok(mut read) = Envelope::from_bytes(envelope) else {
        return envelope.clone();
    };
    (read.message.reply_to, read.message.part, read.trace) = (None, None, None);
    let mut bytes = read.to_bytes_at(OLDER_WIRE[1]).to_vec();
    // Behind the version: a MessagePack array of up to 15 members. Absent ones take a byte each.
    bytes[2] -= UNKNOWN;
    bytes.truncate(bytes.len() - usize::from(UNKNOWN));
    Bytes::from(bytes)
}

/// Whether the older build reads a packet: it begins with its map.
pub(crate) fn is_older_packet(packet: &[u8]) -> bool {
    packet.first().is_some_and(|byte| byte & 0xf0 == 0x80)
}

/// Whether the older build reads an envelope.
pub(crate) fn is_older_envelope(envelope: &[u8]) -> bool {
    envelope.first_chunk() == Some(&OLDER_WIRE[1].to_be_bytes())
}
