//! The view: which nodes there are, as everybody else on this node is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::BootId;

use super::SUSPECT_MS;
use crate::env::Millis;
use crate::store::nodes::Hello;

/// The wire versions of a node that has not said which it knows.
pub const WIRE_UNKNOWN: [u16; 2] = [1, 1];

/// The nodes as this one sees them. A value: the shell clones it into an `Arc` when it changes.
///
/// A boot id is the own one, a peer's, dead, or unknown: new here, or dead for longer than
/// [`DEAD_KEPT_MS`](super::DEAD_KEPT_MS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// This node's present life.
    pub own: BootId,
    /// How many beats it began. It moves without a word.
    pub beat: u64,
    /// Whether others may share the store. If not, nobody needs to be told of anything.
    pub shared: bool,
    /// Every other node that is not dead.
    pub peers: BTreeMap<BootId, Peer>,
    /// The buried, this node's own former lives among them; ascending. What scripts take as `dead`.
    pub dead: Arc<[BootId]>,
    /// Whether the store or the own subscription does not answer. True until both did once.
    pub degraded: bool,
    /// How old the store's data is; `None` before the first answer.
    pub generation: Option<u64>,
}

/// Another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Whether its beat moves.
    pub state: PeerState,
    /// Its last beat.
    pub beat: u64,
    /// For how much of this node's healthy time that beat has been the same.
    pub unchanged_ms: Millis,
    /// What it said of itself when it was first asked.
    pub hello: Option<Hello>,
    /// Whether its entry was seen in data of the present generation. If so, its absence means that
    /// somebody removed it.
    pub(super) listed: bool,
}

/// Whether a peer's beat moves. A dead one is no peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// It does.
    Live,
    /// It has not for [`SUSPECT_MS`]: what is new for it is `unreachable` at once.
    Suspect,
}

impl Nodes {
    /// The view of a node that shares its store with nobody: no peers, never degraded.
    pub fn alone(own: BootId) -> Self {
        Self {
            own,
            beat: 0,
            shared: false,
            peers: BTreeMap::new(),
            dead: Arc::default(),
            degraded: false,
            generation: None,
        }
    }

    /// The view of a node that shares its store, before it has heard of anybody.
    pub fn starting(own: BootId) -> Self {
        Self {
            shared: true,
            degraded: true,
            ..Self::alone(own)
        }
    }

    /// Whether it is this node or a peer; a suspect is still live.
    pub fn is_live(&self, boot: BootId) -> bool {
        boot == self.own || self.peers.contains_key(&boot)
    }

    /// Whether it was buried. Final: no node ever has this boot id again.
    pub fn is_dead(&self, boot: BootId) -> bool {
        self.dead.binary_search(&boot).is_ok()
    }

    /// Whether what another node says is handled: not before it was seen to beat.
    ///
    /// A node that was buried has a new life, and what its former one published may come late. Who
    /// sees the new one sees the former one gone, so never both are heard, and no message comes
    /// behind a later one. Until then what it sends waits.
    pub fn hears(&self, boot: BootId) -> bool {
        self.peers.contains_key(&boot)
    }

    /// How many live nodes there are besides this one.
    pub fn others(&self) -> usize {
        self.peers.len()
    }
}

impl Peer {
    /// A node that was just seen for the first time, with this beat.
    pub fn new(beat: u64) -> Self {
        Self {
            state: PeerState::Live,
            beat,
            unchanged_ms: 0,
            hello: None,
            listed: true,
        }
    }

    /// The wire versions it understands: `[min, max]`.
    pub fn wire(&self) -> [u16; 2] {
        self.hello.as_ref().map_or(WIRE_UNKNOWN, |hello| hello.wire)
    }

    /// Its entry was read, after this much more healthy time. Returns whether the state changed.
    pub(super) fn seen(&mut self, beat: u64, healthy_ms: Millis) -> bool {
        let same = self.listed && self.beat == beat;
        self.listed = true;
        self.beat = beat;
        let unchanged_ms = if same {
            self.unchanged_ms + healthy_ms
        } else {
            0
        };
        self.count(unchanged_ms)
    }

    /// Its entry is still to come after a loss of data. Returns whether the state changed.
    pub(super) fn missed(&mut self, healthy_ms: Millis) -> bool {
        self.count(self.unchanged_ms + healthy_ms)
    }

    /// Sets the count. Returns whether the state changed.
    pub(super) fn count(&mut self, unchanged_ms: Millis) -> bool {
        self.unchanged_ms = unchanged_ms;
        let state = if unchanged_ms < SUSPECT_MS {
            PeerState::Live
        } else {
            PeerState::Suspect
        };
        std::mem::replace(&mut self.state, state) != state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_alone_knows_itself_and_is_well() {
        let [own, other] = [1, 2].map(BootId::from_bits);
        let nodes = Nodes::alone(own);
        assert!(nodes.is_live(own) && !nodes.is_live(other));
        assert!(!nodes.is_dead(own) && !nodes.is_dead(other));
        assert!(!nodes.degraded);
        assert_eq!(nodes.others(), 0);
    }

    #[test]
    fn a_peer_is_live_until_it_is_dead() {
        let [own, peer, dead] = [1, 2, 3].map(BootId::from_bits);
        let mut nodes = Nodes::alone(own);
        nodes.peers.insert(peer, Peer::new(5));
        nodes.dead = Arc::from([dead]);
        for unchanged_ms in [0, SUSPECT_MS - 1, SUSPECT_MS, SUSPECT_MS * 9] {
            nodes.peers.get_mut(&peer).unwrap().count(unchanged_ms);
            assert!(nodes.is_live(peer) && !nodes.is_dead(peer) && nodes.hears(peer));
        }
        assert!(nodes.is_dead(dead) && !nodes.is_live(dead) && !nodes.hears(dead));
        assert!(!nodes.hears(BootId::from_bits(4)), "it was never seen");
        assert_eq!(nodes.others(), 1);
    }
}
