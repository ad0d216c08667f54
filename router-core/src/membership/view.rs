//! The view: which nodes there are, as everybody else on this node is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::lane::{KeyId, LaneTerms, TermsMismatch};
use protocol::{BootId, UsageHour};

use super::health::DegradedCause;
use super::times::SUSPECT_MS;
use crate::env::Millis;
use crate::store::nodes::NodeHello;

/// The nodes as this one sees them. A value: the shell clones it into an `Arc` when it changes.
///
/// A boot id is the own one, a peer's, dead, or unknown: new here, or dead for longer than
/// ten minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// This node's present life.
    pub own: BootId,
    /// The ids of this node's secrets, the one that signs what it issues first.
    pub keys: Arc<[KeyId]>,
    /// How many beats it began. It moves without a word.
    pub beat: u64,
    /// Whether others may share the store. If not, nobody needs to be told of anything.
    pub shared: bool,
    /// Every other node that is not dead.
    pub peers: BTreeMap<BootId, PeerNode>,
    /// This node and the peers that certainly run, as of the last change of the view.
    pub running: u32,
    /// The evicted nodes, this node's own former lives among them; ascending. What scripts take as `dead`.
    pub dead: Arc<[BootId]>,
    /// Whether the store or the own subscription does not answer. True until both did once.
    pub degraded: bool,
    /// Why it is degraded; `None` also before it was judged for the first time. It moves without a word.
    pub degraded_cause: Option<DegradedCause>,
    /// How old the store's data is; `None` before the first answer.
    pub generation: Option<u64>,
    /// The first hour of which this node may still have usage that is not booked. It moves without a word.
    pub own_flushed: UsageHour,
}

/// Another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerNode {
    /// Whether its beat moves.
    pub state: PeerState,
    /// Its last beat.
    pub beat: u64,
    /// For how much of this node's healthy time that beat has been the same.
    pub unchanged_ms: Millis,
    /// The first hour of which it may still have usage that is not booked. It moves without a word. Absent:
    /// its build counts none.
    pub flushed: Option<UsageHour>,
    /// What it said of itself when it was first asked.
    pub hello: Option<NodeHello>,
    /// How to write to it, or why that makes no sense: messages for it are `unreachable` at once.
    /// Until it is described, as every build reads.
    pub terms: Result<LaneTerms, TermsMismatch>,
    /// Whether its beat was seen to move. Until then it may be what a node left that has ended, so
    /// nobody is warned of it.
    pub has_moved: bool,
    /// When it was described last.
    pub(super) described_ms: Millis,
    /// Whether its entry was seen in data of the present generation. If so, its absence means that
    /// somebody removed it.
    pub(super) listed: bool,
}

/// Whether a peer's beat moves. A dead one is no peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// It does.
    Live,
    /// It has not for three seconds: what is new for it is `unreachable` at once.
    Suspect,
}

impl NodeView {
    /// The view of a node that shares its store with nobody: no peers, never degraded.
    pub fn alone(own: BootId) -> Self {
        Self {
            own,
            keys: Arc::default(),
            beat: 0,
            shared: false,
            peers: BTreeMap::new(),
            running: 1,
            dead: Arc::default(),
            degraded: false,
            degraded_cause: None,
            generation: None,
            own_flushed: UsageHour::default(),
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

    /// Whether it was evicted. Final: no node ever has this boot id again.
    pub fn is_dead(&self, boot: BootId) -> bool {
        self.dead.binary_search(&boot).is_ok()
    }

    /// Whether what another node says is handled: not before it was seen to beat.
    ///
    /// A node that was evicted has a new life, and what its former one published may come late. Who
    /// sees the new one sees the former one gone, so never both are heard, and no message comes
    /// behind a later one. Until then what it sends waits.
    pub fn hears(&self, boot: BootId) -> bool {
        self.peers.contains_key(&boot)
    }

    /// How to write to a node; as every build reads if it is not in the view.
    pub fn terms(&self, boot: BootId) -> Result<LaneTerms, TermsMismatch> {
        let peer = self.peers.get(&boot);
        peer.map_or(Ok(LaneTerms::UNKNOWN), |peer| peer.terms)
    }

    /// How the secrets of a peer differ from this node's. They do not if it does not publish them.
    pub fn secret_gap(&self, peer: &PeerNode) -> SecretGap {
        let theirs = peer.hello.as_ref().map_or(&[][..], |hello| &hello.keys);
        if theirs.is_empty() {
            return SecretGap::default();
        }
        let is_unknown = |key: &KeyId| !self.keys.contains(key);
        SecretGap {
            ours_unknown_there: self.keys.first().is_some_and(|key| !theirs.contains(key)),
            theirs_unknown_here: theirs.first().is_some_and(is_unknown),
            some_unknown_here: theirs.iter().any(is_unknown),
        }
    }

    /// Whether some peer verifies a secret that this node does not have: then a credential that is
    /// good there may be refused here.
    pub fn lacks_a_secret(&self) -> bool {
        // Also of one that may have ended: to come back once more costs less than to stop.
        let peers = self.peers.values();
        let mut peers = peers.filter(|peer| peer.state == PeerState::Live);
        peers.any(|peer| self.secret_gap(peer).some_unknown_here)
    }

    /// Counts the nodes that certainly run.
    pub(super) fn count_running(&mut self) {
        let running = self.peers.values().filter(|peer| peer.is_sure()).count();
        // Far fewer than 4 billion.
        self.running = 1 + running as u32;
    }

    /// The first hour of which some node may still have usage that is not booked.
    pub fn flushed(&self) -> UsageHour {
        let peers = self.peers.values().filter_map(|peer| peer.flushed);
        peers.fold(self.own_flushed, UsageHour::min)
    }

    /// Notes what the peers say of the usage that they have booked.
    pub(super) fn note_flushed(&mut self, flushed: &[(BootId, UsageHour)]) {
        for (boot, hour) in flushed {
            if let Some(peer) = self.peers.get_mut(boot) {
                peer.flushed = Some(*hour);
            }
        }
    }

    /// What the other nodes say of themselves that certainly run and take sockets.
    pub fn takers(&self) -> impl Iterator<Item = &NodeHello> {
        let peers = self.peers.values().filter(|peer| peer.is_sure());
        let hellos = peers.filter_map(|peer| peer.hello.as_ref());
        hellos.filter(|hello| hello.serving)
    }

    /// How many live nodes there are besides this one.
    pub fn others(&self) -> usize {
        self.peers.len()
    }
}

/// How the secrets of a peer differ from this node's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecretGap {
    /// The peer lacks this node's first secret: it refuses the credentials that this node issues.
    pub ours_unknown_there: bool,
    /// This node lacks the peer's first secret: it refuses the credentials that the peer issues.
    pub theirs_unknown_here: bool,
    /// This node lacks one of the peer's secrets, the first or another.
    pub some_unknown_here: bool,
}

impl SecretGap {
    /// Whether a credential that one of the two issues is refused by the other. The documented order
    /// of a rotation never leads there.
    pub const fn is_wrong_order(self) -> bool {
        self.ours_unknown_there || self.theirs_unknown_here
    }
}

impl PeerNode {
    /// A node that was just seen for the first time, with this beat.
    pub fn new(beat: u64) -> Self {
        Self {
            state: PeerState::Live,
            beat,
            unchanged_ms: 0,
            flushed: None,
            hello: None,
            terms: Ok(LaneTerms::UNKNOWN),
            has_moved: false,
            described_ms: 0,
            listed: true,
        }
    }

    /// Whether a message for it has a chance: its beat moves, and both ends speak alike.
    pub(crate) fn is_reachable(&self) -> bool {
        self.state == PeerState::Live && self.terms.is_ok()
    }

    /// Whether it certainly runs: its beat has moved, and does.
    pub fn is_sure(&self) -> bool {
        self.has_moved && self.state == PeerState::Live
    }

    /// Its entry was read, after this much more healthy time. Returns whether the state changed, or it
    /// has moved for the first time.
    pub(super) fn seen(&mut self, beat: u64, healthy_ms: Millis) -> bool {
        let same = self.listed && self.beat == beat;
        let moves_first = !self.has_moved && self.beat != beat;
        self.has_moved |= moves_first;
        self.listed = true;
        self.beat = beat;
        let unchanged_ms = if same {
            self.unchanged_ms + healthy_ms
        } else {
            0
        };
        self.count(unchanged_ms) || moves_first
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
        let nodes = NodeView::alone(own);
        assert!(nodes.is_live(own) && !nodes.is_live(other));
        assert!(!nodes.is_dead(own) && !nodes.is_dead(other));
        assert!(!nodes.degraded);
        assert_eq!(nodes.others(), 0);
    }

    #[test]
    fn a_peer_is_live_until_it_is_dead() {
        let [own, peer, dead] = [1, 2, 3].map(BootId::from_bits);
        let mut nodes = NodeView::alone(own);
        nodes.peers.insert(peer, PeerNode::new(5));
        nodes.dead = Arc::from([dead]);
        for unchanged_ms in [0, SUSPECT_MS - 1, SUSPECT_MS, SUSPECT_MS * 9] {
            nodes.peers.get_mut(&peer).unwrap().count(unchanged_ms);
            assert!(nodes.is_live(peer) && !nodes.is_dead(peer) && nodes.hears(peer));
        }
        assert!(nodes.is_dead(dead) && !nodes.is_live(dead) && !nodes.hears(dead));
        assert!(!nodes.hears(BootId::from_bits(4)), "it was never seen");
        assert_eq!(nodes.others(), 1);
    }

    #[test]
    fn who_was_never_seen_to_beat_or_stopped_does_not_run() {
        let [own, started, beating] = [1, 2, 3].map(BootId::from_bits);
        let mut nodes = NodeView::starting(own);
        nodes.peers = [(started, PeerNode::new(5)), (beating, PeerNode::new(5))].into();
        let peer = |nodes: &mut NodeView, beat, healthy_ms| {
            let changed = nodes
                .peers
                .get_mut(&beating)
                .unwrap()
                .seen(beat, healthy_ms);
            nodes.count_running();
            (changed, nodes.running)
        };
        assert_eq!(
            peer(&mut nodes, 6, 500),
            (true, 2),
            "the first beat is news"
        );
        assert_eq!(peer(&mut nodes, 7, 500), (false, 2));
        assert_eq!(peer(&mut nodes, 7, SUSPECT_MS), (true, 1));
        assert_eq!(peer(&mut nodes, 8, 500), (true, 2));
    }

    #[test]
    fn a_secret_gap_is_what_makes_credentials_refused() {
        let [old, new] = [1, 2].map(KeyId::from_bits);
        let gap = |ours: &[KeyId], theirs: &[KeyId]| {
            let mut nodes = NodeView::alone(BootId::from_bits(1));
            nodes.keys = ours.into();
            let mut peer = PeerNode::new(1);
            peer.has_moved = true;
            peer.hello = Some(NodeHello {
                name: "a".into(),
                address: "a:1".into(),
                peer_address: "127.0.0.1:9464".into(),
                version: "1".into(),
                wire: [1, 1],
                keys: theirs.into(),
                serving: true,
                connections: 0,
            });
            let gap = nodes.secret_gap(&peer);
            nodes.peers.insert(BootId::from_bits(2), peer);
            assert_eq!(nodes.lacks_a_secret(), gap.some_unknown_here);
            gap
        };
        // Every pair of neighbouring steps of the documented rotation.
        for (one, other) in [
            (&[old][..], &[old, new][..]),
            (&[old, new], &[new, old]),
            (&[new, old], &[new]),
        ] {
            assert!(!gap(one, other).is_wrong_order(), "{one:?} {other:?}");
            assert!(!gap(other, one).is_wrong_order(), "{one:?} {other:?}");
        }
        assert!(gap(&[old], &[old, new]).some_unknown_here);
        assert!(!gap(&[old, new], &[old]).some_unknown_here);
        let short = gap(&[old], &[new, old]);
        assert!(short.theirs_unknown_here && !short.ours_unknown_there);
        let short = gap(&[new, old], &[old]);
        assert!(short.ours_unknown_there && !short.theirs_unknown_here);
        assert_eq!(
            gap(&[new, old], &[]),
            SecretGap::default(),
            "it says nothing"
        );
    }
}
