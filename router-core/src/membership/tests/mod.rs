//! Each rule of the node machine, against the store's model.

mod beats;
mod deaths;
mod degraded;
mod leaving;
mod lives;
mod terms;
mod unknown;

use protocol::UsageHour;
use std::collections::BTreeSet;

use protocol::lane::KeyId;

use super::times::*;
use super::*;
use crate::store::nodes::NodesModel;

const START: Millis = 1_763_695_000_000;
const X: BootId = BootId::from_bits(2);
const Y: BootId = BootId::from_bits(3);

/// One node, a store that answers at once, and others that beat just before the node does.
struct Rig {
    node: MembershipMachine,
    now_ms: Millis,
    store: NodesModel,
    beating: BTreeSet<BootId>,
    /// The last beat of others.
    beat: u64,
    fate: fn(&NodeQuery) -> Fate,
    probes_return: bool,
    /// All that the node wanted done.
    effects: Vec<NodeEffect>,
}

/// What becomes of a question.
enum Fate {
    Answered,
    Lost,
    /// It is executed all the same.
    AnswerLost,
}

impl Rig {
    fn new() -> Self {
        Self {
            node: MembershipMachine::new(BootId::from_bits(1), START, hello(0)),
            now_ms: START,
            store: NodesModel::default(),
            beating: BTreeSet::new(),
            beat: 0,
            fate: |_| Fate::Answered,
            probes_return: true,
            effects: Vec::new(),
        }
    }

    /// A healthy node that knows X, which beats, for 5 s.
    fn with_x() -> Self {
        let mut rig = Self::new();
        rig.beating.insert(X);
        rig.pass(5000);
        assert_eq!(rig.state_of(X), Some(PeerState::Live));
        assert!(!rig.node.view().degraded);
        rig.effects.clear();
        rig
    }

    fn raw(&mut self, input: NodeInput) -> Vec<NodeEffect> {
        let mut fx = Vec::new();
        let entropy = u128::from(self.now_ms) << 40 | 77;
        self.node.handle(self.now_ms, entropy, input, &mut fx);
        let changed = NodeEffect::ViewChanged;
        let told = fx.iter().filter(|effect| **effect == changed).count();
        assert!(told == 0 || (told == 1 && fx[0] == changed), "{fx:?}");
        self.effects.extend(fx.iter().cloned());
        fx
    }

    /// Gives an input and performs what follows from it.
    fn give(&mut self, input: NodeInput) {
        for effect in self.raw(input) {
            if let NodeEffect::Ask(ask) = effect {
                let reply = self.execute(&ask);
                self.give(NodeInput::Answered { ask, reply });
            } else if let NodeEffect::SendProbe { number } = effect
                && self.probes_return
            {
                self.give(NodeInput::Probe { number });
            }
        }
    }

    fn execute(&mut self, ask: &NodeQuery) -> NodeReply {
        if is_beat(ask) {
            for boot in self.beating.clone() {
                self.beat(boot);
            }
        }
        match (self.fate)(ask) {
            Fate::Answered => self.store.execute(self.now_ms, ask),
            Fate::Lost => NodeReply::Unavailable,
            Fate::AnswerLost => {
                self.store.execute(self.now_ms, ask);
                NodeReply::Unavailable
            }
        }
    }

    fn beat(&mut self, boot: BootId) {
        self.beat += 1;
        let ask = NodeQuery::Beat {
            boot,
            beat: self.beat,
            known_generation: None,
            fresh_generation: 9,
            flushed: UsageHour::default(),
        };
        self.store.execute(self.now_ms, &ask);
    }

    /// Lets time pass, with every wake-up on the dot.
    fn pass(&mut self, ms: Millis) {
        let end_ms = self.now_ms + ms;
        while self.node.next_wakeup() <= end_ms {
            self.now_ms = self.now_ms.max(self.node.next_wakeup());
            self.give(NodeInput::Wake);
            assert!(self.node.next_wakeup() > self.now_ms, "it wakes in vain");
        }
        self.now_ms = end_ms;
    }

    /// Wakes the node now and returns the beat it asks for, unanswered.
    fn take_beat(&mut self) -> NodeQuery {
        let fx = self.raw(NodeInput::Wake);
        the_ask(&fx, is_beat)
    }

    fn state_of(&self, boot: BootId) -> Option<PeerState> {
        self.node.view().peers.get(&boot).map(|peer| peer.state)
    }

    fn unchanged_ms(&self, boot: BootId) -> Millis {
        self.node.view().peers[&boot].unchanged_ms
    }

    fn did(&self, effect: &NodeEffect) -> bool {
        self.effects.contains(effect)
    }

    fn asked(&self, which: impl Fn(&NodeQuery) -> bool) -> usize {
        let is_it = |effect: &&NodeEffect| matches!(effect, NodeEffect::Ask(ask) if which(ask));
        self.effects.iter().filter(is_it).count()
    }

    fn evictions(&self) -> usize {
        self.asked(is_eviction)
    }
}

fn hello(connections: u64) -> NodeHello {
    NodeHello {
        name: "a".into(),
        address: "127.0.0.1:1".into(),
        peer_address: "127.0.0.1:9464".into(),
        version: "0.1.0".into(),
        wire: [1, 3],
        keys: [KeyId::from_bits(1)].into(),
        serving: true,
        connections,
    }
}

fn is_beat(ask: &NodeQuery) -> bool {
    matches!(ask, NodeQuery::Beat { .. })
}

/// The one question of this kind among the effects.
fn the_ask(fx: &[NodeEffect], which: fn(&NodeQuery) -> bool) -> NodeQuery {
    let mut asks = fx.iter().filter_map(|effect| {
        let NodeEffect::Ask(ask) = effect else {
            return None;
        };
        which(ask).then(|| ask.clone())
    });
    let ask = asks.next().expect("it is asked");
    assert_eq!(asks.next(), None);
    ask
}

fn is_eviction(ask: &NodeQuery) -> bool {
    matches!(ask, NodeQuery::Evict { .. })
}

fn is_hello(ask: &NodeQuery) -> bool {
    matches!(ask, NodeQuery::Hello { .. })
}
