//! Envelopes as a build before ours wrote them: without `replyTo` and `part`.
//!
//! Until there is a second wire version this is the test that a mixed cluster works: half of the
//! machines write so, all must read it.

use bytes::Bytes;
use protocol::Envelope;
use protocol::envelope::WIRE;

/// The same envelope without the members that the older build did not know.
pub fn older(envelope: &Bytes) -> Bytes {
    let Ok(read) = Envelope::from_bytes(envelope) else {
        return envelope.clone();
    };
    let mut map = serde_json::to_value(&read).expect("an envelope is data");
    if let Some(members) = map.as_object_mut() {
        members.remove("reply_to");
        members.remove("part");
    }
    let mut bytes = WIRE[1].to_be_bytes().to_vec();
    bytes.extend(rmp_serde::to_vec_named(&map).expect("a map is data"));
    Bytes::from(bytes)
}
