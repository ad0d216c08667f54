//! Envelopes as a build before ours wrote them: without `reply_to`, `part` and `trace`.
//!
//! Until there is a second wire version this is the test that a mixed cluster works: half of the
//! machines write so, all must read it.

use bytes::Bytes;
use protocol::Envelope;

/// The members that the older build did not know; they are the last.
const UNKNOWN: u8 = 4;

/// The same envelope without them.
pub fn older(envelope: &Bytes) -> Bytes {
    let Ok(mut read) = Envelope::from_bytes(envelope) else {
        return envelope.clone();
    };
    (read.message.reply_to, read.message.part, read.trace) = (None, None, None);
    let mut bytes = read.to_bytes().to_vec();
    // Behind the version: a MessagePack array of up to 15 members. Absent ones take a byte each.
    bytes[2] -= UNKNOWN;
    bytes.truncate(bytes.len() - usize::from(UNKNOWN));
    Bytes::from(bytes)
}
