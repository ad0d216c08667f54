//! One of the machines of `nodes.rs`.

use std::collections::BTreeSet;

use protocol::BootId;
use protocol::lane::KeyId;
use router_core::env::Millis;
use router_core::membership::{MembershipMachine, NodeInput};
use router_core::store::nodes::{NodeHello, NodeQuery};

/// What reaches a machine or the store later.
pub enum Event {
    Execute(NodeQuery, Option<Millis>),
    Input(NodeInput),
}

/// One node machine, and what is wrong with it.
pub struct Machine {
    pub node: MembershipMachine,
    pub wake_ms: Millis,
    pub paused_until_ms: Millis,
    pub cut_until_ms: Millis,
    pub deaf_until_ms: Millis,
    pub backlog: Vec<Event>,
    /// Since when nothing has gone wrong for it.
    pub well_since_ms: Millis,
    pub gone: BTreeSet<BootId>,
}

impl Machine {
    pub fn new(now_ms: Millis, boot: BootId, name: &str) -> Self {
        let hello = NodeHello {
            name: name.into(),
            address: "127.0.0.1:1".into(),
            peer_address: "127.0.0.1:9464".into(),
            version: "0.1.0".into(),
            wire: [1, 2],
            keys: [KeyId::from_bits(1)].into(),
            serving: true,
            connections: 0,
        };
        Self {
            node: MembershipMachine::new(boot, now_ms, hello),
            wake_ms: now_ms,
            paused_until_ms: now_ms,
            cut_until_ms: now_ms,
            deaf_until_ms: now_ms,
            backlog: Vec::new(),
            well_since_ms: now_ms,
            gone: BTreeSet::new(),
        }
    }

    /// When it runs next, if nothing else happens.
    pub fn next_ms(&self) -> Millis {
        self.wake_ms.max(self.paused_until_ms)
    }
}
