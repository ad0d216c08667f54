//! A message as bytes, for other nodes.

use bytes::Bytes;
use protocol::lane::LaneTerms;
use protocol::{BootId, Envelope};
use smallvec::SmallVec;

use crate::env::Env;

/// An envelope for another node.
pub(super) struct WireCopy {
    pub node: BootId,
    /// The version that the node reads.
    wire: u16,
    pub bytes: Bytes,
}

/// The envelope for each of these nodes, in the version that it reads. Neighbours of one version
/// share their bytes.
pub(super) fn wire_copies(
    env: &Env<'_>,
    envelope: &Envelope,
    nodes: &[BootId],
) -> SmallVec<[WireCopy; 1]> {
    let mut copies: SmallVec<[WireCopy; 1]> = SmallVec::new();
    for node in nodes.iter().copied() {
        let wire = env.nodes.terms(node).unwrap_or(LaneTerms::UNKNOWN).wire;
        let bytes = match copies.last() {
            Some(same) if same.wire == wire => same.bytes.clone(),
            Some(_) | None => envelope.to_bytes_at(wire),
        };
        copies.push(WireCopy { node, wire, bytes });
    }
    copies
}
