//! What a node says of itself.

use std::sync::Arc;

use protocol::lane::{KeyId, LaneTerms, TermsMismatch};
use smol_str::SmolStr;

use crate::env::Millis;

/// How long the store keeps what a node said of itself, milliseconds; saying it again renews it.
pub const HELLO_KEPT_MS: Millis = 24 * 60 * 60 * 1000;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeHello {
    /// Its name for operators.
    pub name: SmolStr,
    /// Where operators reach it.
    pub address: SmolStr,
    /// Where other nodes ask it whether its store answers, `IP:PORT`. Empty: nowhere.
    pub peer_address: SmolStr,
    /// Its build.
    pub version: SmolStr,
    /// The wire versions that it reads and writes: `[min, max]`.
    pub wire: [u16; 2],
    /// The ids of the secrets that it verifies, the one that signs what it issues first. Empty: its
    /// build does not publish them.
    pub keys: Arc<[KeyId]>,
    /// Whether it takes new sockets; false while it drains.
    pub serving: bool,
    /// Its sockets when it said this.
    pub connections: u64,
}

impl NodeHello {
    /// What the node that says this writes to a node that says `theirs` with.
    pub(crate) fn terms_for(&self, theirs: &NodeHello) -> Result<LaneTerms, TermsMismatch> {
        LaneTerms::between((self.wire, &self.keys), (theirs.wire, &theirs.keys))
    }
}
