//! Performs what sessions and shards want.
//!
//! A shard's effects are performed in order, inside its hold; each delivery is settled before the
//! next effect. Words to sessions wait until no shard is held.

use std::sync::Arc;

use protocol::lane::Verdict;
use router_core::ConnKey;
use router_core::effect::{Effect, Effects, Outcome};
use router_core::env::Env;
use router_core::lane::Settled;
use router_core::session::Input as SessionInput;
use router_core::shard::Input as ShardInput;

use super::Machine;
use crate::outside::Outside;

impl Machine {
    /// One hold of a shard. Returns what was decided about a message from another node.
    pub(super) fn shard(
        &mut self,
        outside: &mut Outside,
        at: usize,
        input: ShardInput,
    ) -> Option<Option<Verdict>> {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = self.env(outside, &settings, &nodes);
        let mut fx = Effects::default();
        self.shards[at].handle(&env, input, &mut fx);
        self.perform(outside, at, &env, fx)
    }

    pub(super) fn perform(
        &mut self,
        outside: &mut Outside,
        at: usize,
        env: &Env<'_>,
        mut fx: Effects,
    ) -> Option<Option<Verdict>> {
        let mut decided = None;
        while let Some(effect) = fx.pop() {
            match effect {
                Effect::Deliver {
                    receipt,
                    conn,
                    frame,
                } => {
                    let outcome = self.push(outside, conn, frame);
                    if let Some(receipt) = receipt {
                        if outcome == Outcome::Full {
                            self.refused(conn, receipt.tenant());
                        }
                        self.shards[at].settled(env, receipt, outcome, &mut fx);
                    }
                }
                Effect::Ask { ticket, request } => outside.ask(self.process, ticket, *request),
                Effect::Publish { node, parcel } => {
                    if let Err(parcel) = self.send(outside, node, parcel) {
                        self.shards[at].decided(env, parcel, Settled::Unsent, &mut fx);
                    }
                }
                Effect::PublishBestEffort {
                    tenant,
                    node,
                    stream,
                    envelope,
                } => self.send_best_effort(node, tenant, *stream, envelope),
                Effect::Decided(verdict) => decided = Some(verdict),
                Effect::Tell { conn, notice } => {
                    let input = SessionInput::Notice(notice);
                    self.words.push_back((conn, Box::new(input)));
                }
                Effect::Close { conn, close } => self.close(outside, conn, close),
                Effect::Met(boot) => self.met.push(boot),
                Effect::Unload(tenant) => {
                    outside.redis.unsubscribe(self.process.machine, &tenant);
                }
                Effect::Note(_) => {}
                Effect::Verify(_)
                | Effect::Join(_)
                | Effect::Route(_)
                | Effect::Request(_)
                | Effect::Leave(_)
                | Effect::Ping => unreachable!("a session's effect"),
            }
        }
        decided
    }

    /// Tells sessions what they are owed, until they are owed nothing.
    pub(super) fn talk(&mut self, outside: &mut Outside) {
        while let Some((key, input)) = self.words.pop_front() {
            self.session(outside, key, *input);
        }
    }

    pub(super) fn session(&mut self, outside: &mut Outside, key: ConnKey, input: SessionInput) {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = self.env(outside, &settings, &nodes);
        let Some(socket) = self.sockets.get_mut(&key) else {
            return;
        };
        let mut fx = Effects::default();
        socket.session.handle(&env, input, &mut fx);
        while let Some(effect) = fx.pop() {
            match effect {
                Effect::Verify(credential) => {
                    let verdict = outside.keyring.verify(&credential, outside.now_ms);
                    let verdict = verdict.map(|verified| verified.grant);
                    let input = SessionInput::Verified(verdict);
                    self.words.push_back((key, Box::new(input)));
                }
                Effect::Join(join) => {
                    let at = self.shard_of(join.tenant());
                    self.shard(outside, at, ShardInput::Join(join));
                }
                Effect::Route(route) => {
                    let at = self.shard_of(route.tenant());
                    self.shard(outside, at, ShardInput::Route(route));
                }
                Effect::Request(request) => {
                    let at = self.shard_of(request.tenant());
                    self.shard(outside, at, ShardInput::Request(request));
                }
                Effect::Leave(leave) => {
                    let at = self.shard_of(&leave.tenant);
                    self.shard(outside, at, ShardInput::Leave(leave));
                }
                // Its peer answers pings.
                Effect::Ping => self.words.push_back((key, Box::new(SessionInput::Alive))),
                Effect::Deliver { conn, frame, .. } => {
                    self.push(outside, conn, frame);
                }
                Effect::Close { conn, close } => self.close(outside, conn, close),
                Effect::Note(_) => {}
                Effect::Ask { .. }
                | Effect::Tell { .. }
                | Effect::Publish { .. }
                | Effect::PublishBestEffort { .. }
                | Effect::Decided(_)
                | Effect::Met(_)
                | Effect::Unload(_) => unreachable!("a tenant's effect"),
            }
        }
        self.next_frame(outside, key);
    }
}
