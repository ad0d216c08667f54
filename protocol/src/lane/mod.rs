//! What two nodes say to each other: packets of numbered envelopes and of acks.
//!
//! ```text
//!  src ── Packet { data: LaneBatch { generation 3, first_seq 41, items: 41, 42, ·, 43 } } ──▶ dst
//!  src ◀─ Packet { ack: LaneAck { generation 3, upto 43, verdicts: 42 offline } } ─────────── dst
//! ```
//!
//! A packet is a head, a MessagePack map by member name, and the first 16 bytes of its HMAC-SHA256.
//! The head, in `head.rs`, has the packet's wire version and the id of the key that signed it.
//! Each envelope has its own version; one that is unknown gets the verdict `refused(not_supported)`.
//! A sender writes both as [`LaneTerms`] say. Members may be added; those below keep their meaning.
//!
//! How the two ends use these words is `router-core`'s `lane/`. Nothing here counts or repeats.

mod codec;
mod error;
mod form;
mod head;
mod key_id;
mod keys;
mod packet;
mod peer_message;
mod terms;
#[cfg(test)]
mod tests;
mod verdict;

pub use error::PacketError;
pub use key_id::KeyId;
pub use keys::LaneKeys;
pub use packet::{BatchItem, LaneAck, LaneBatch, Packet, charge};
pub use peer_message::{PeerMessage, PeerWord};
pub use terms::{LaneTerms, TermsMismatch};
pub use verdict::Verdict;
