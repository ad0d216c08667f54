//! What this node says of itself, and what the others say of themselves.
//!
//! A node writes it to the store, and the others read it when they first see the node. If more than its count of
//! connections changes, it tells its peers when the store has it, and they read it again.

use std::sync::Arc;

use protocol::BootId;

use super::times::BEAT_MS;
use super::{MembershipMachine, NodeEffect};
use crate::env::Millis;
use crate::store::nodes::{NodeHello, NodeQuery, NodeReply};

/// How often the peers are told: at once, and once more with the next hello, as a message to a subscriber can be lost.
const NEWS_TIMES: u8 = 2;

impl MembershipMachine {
    pub(super) fn on_hello(&mut self, now_ms: Millis, hello: NodeHello) {
        let connections = hello.connections;
        let old = std::mem::replace(&mut self.hello, hello);
        if self.hello != (NodeHello { connections, ..old }) {
            self.hello_due_ms = now_ms;
            self.hello_news = NEWS_TIMES;
        }
        if self.view.keys != self.hello.keys {
            self.view.keys = Arc::clone(&self.hello.keys);
            for peer in self.view.peers.values_mut() {
                let terms = peer.hello.as_ref().map(|it| self.hello.terms_for(it));
                peer.terms = terms.unwrap_or(peer.terms);
            }
            self.view_changed = true;
        }
    }

    pub(super) fn on_hello_answer(
        &mut self,
        now_ms: Millis,
        reply: &NodeReply,
        fx: &mut Vec<NodeEffect>,
    ) {
        self.hello_out = false;
        // If it is due now, something changed since it was written.
        let is_latest = self.hello_due_ms > now_ms;
        if *reply != NodeReply::Done {
            self.hello_due_ms = self.hello_due_ms.min(now_ms + BEAT_MS);
        } else if self.hello_news > 0 && is_latest {
            self.hello_news -= 1;
            fx.push(NodeEffect::SayAnew);
        }
    }

    pub(super) fn on_described(
        &mut self,
        now_ms: Millis,
        boot: BootId,
        hello: NodeHello,
        fx: &mut Vec<NodeEffect>,
    ) {
        let Some(peer) = self.view.peers.get_mut(&boot) else {
            return;
        };
        peer.terms = self.hello.terms_for(&hello);
        peer.hello = Some(hello);
        peer.described_ms = now_ms;
        self.view_changed = true;
        if peer.has_moved {
            fx.push(NodeEffect::Described(boot));
        }
    }

    pub(super) fn on_said_anew(&self, boot: BootId, fx: &mut Vec<NodeEffect>) {
        if self.view.peers.contains_key(&boot) {
            fx.push(NodeEffect::Ask(NodeQuery::Describe(boot)));
        }
    }
}
