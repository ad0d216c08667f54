//! Effects become inputs of other machines, or are counted.

use protocol::lane::Verdict;
use router_core::effect::{Effect, Effects, Outcome};
use router_core::lane::Settled;
use router_core::session::Input;
use router_core::shard::Input as ShardInput;
use router_core::{Env, Nodes};

use super::{BareNode, BareSession, House, Owed, Socket, World, shard_of};

impl World {
    /// The world for one `handle`.
    pub(super) fn env<'a>(&'a self, nodes: &'a Nodes) -> Env<'a> {
        Env {
            now_ms: self.now_ms,
            unix_ms: self.now_ms,
            entropy: self.entropy,
            settings: &self.settings,
            nodes,
            round_ms: 0,
        }
    }

    /// Fresh bits for the next `handle`. They make ids unlike each other.
    fn stir(&mut self) {
        // A linear congruential generator is enough for that. Source: Knuth, MMIX.
        let low = self.entropy as u64;
        let next = low
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.entropy = self.entropy << 64 | u128::from(next);
    }

    fn deliver(&mut self, to: Socket, text: bytes::Bytes) -> Outcome {
        self.delivered.frames += 1;
        self.delivered.bytes += text.len() as u64;
        self.delivered.last = Some((to, text));
        Outcome::Queued
    }
}

impl House {
    /// Hands a session one input, and does all that follows from it on this node.
    pub(super) fn input(&mut self, socket: Socket, input: Input) {
        self.session(socket, input);
        while let Some(owed) = self.world.owed.pop_front() {
            match owed {
                Owed::Told(socket, input) => self.session(socket, *input),
                Owed::Asked(node, ticket, request) => {
                    let tenant = request.tenant.clone();
                    let index = shard_of(&tenant);
                    let (reply, event) = self.world.model.execute(request);
                    // A store of one node tells nobody; one of several tells all before it answers.
                    if let Some(event) = event.filter(|_| self.nodes.len() > 1) {
                        for other in 0..self.nodes.len() {
                            let (tenant, event) = (tenant.clone(), event.clone());
                            self.shard(other, index, ShardInput::Event { tenant, event });
                        }
                    }
                    self.shard(node, index, ShardInput::Reply { ticket, reply });
                }
            }
        }
    }

    fn session(&mut self, socket: Socket, input: Input) {
        let Socket { node: at, key } = socket;
        self.world.stir();
        let mut fx = Effects::default();
        let bare = &mut self.nodes[at];
        let env = self.world.env(&bare.view);
        let BareSession { session, shard } = &mut bare.sessions[key.0 as usize];
        session.handle(&env, input, &mut fx);
        let shard = *shard;
        while let Some(effect) = fx.pop() {
            match effect {
                Effect::Verify(credential) => {
                    let verdict = self.world.keyring.verify(&credential, self.world.now_ms);
                    let verdict = verdict.map(|verified| verified.grant);
                    let input = Box::new(Input::Verified(verdict));
                    self.world.owed.push_back(Owed::Told(socket, input));
                }
                Effect::Join(join) => {
                    let shard = shard_of(join.tenant());
                    self.nodes[at].sessions[key.0 as usize].shard = shard;
                    self.shard(at, shard, ShardInput::Join(join));
                }
                Effect::Route(route) => {
                    self.shard(at, shard, ShardInput::Route(route));
                }
                Effect::Request(request) => {
                    self.shard(at, shard, ShardInput::Request(request));
                }
                Effect::Leave(leave) => {
                    self.shard(at, shard, ShardInput::Leave(leave));
                }
                Effect::Deliver { conn, frame, .. } => {
                    self.world.deliver(
                        Socket {
                            node: at,
                            key: conn,
                        },
                        frame.text,
                    );
                }
                Effect::Ping
                | Effect::Close { .. }
                | Effect::Note(_)
                | Effect::Ask { .. }
                | Effect::Publish { .. }
                | Effect::PublishBestEffort { .. }
                | Effect::Decided(_)
                | Effect::Unload(_)
                | Effect::Met(_)
                | Effect::Tell { .. } => {}
            }
        }
    }

    /// One hold of a tenant's shard. Returns what was decided about a message of the other node.
    pub(super) fn shard(
        &mut self,
        at: usize,
        shard: usize,
        input: ShardInput,
    ) -> Option<Option<Verdict>> {
        let mut fx = Effects::default();
        let bare = &mut self.nodes[at];
        let env = self.world.env(&bare.view);
        bare.shards[shard].handle(&env, input, &mut fx);
        self.perform(at, shard, fx)
    }

    pub(super) fn perform(
        &mut self,
        at: usize,
        shard: usize,
        mut fx: Effects,
    ) -> Option<Option<Verdict>> {
        let BareNode {
            view,
            shards,
            sender,
            ..
        } = &mut self.nodes[at];
        let shard = &mut shards[shard];
        let mut decided = None;
        while let Some(effect) = fx.pop() {
            match effect {
                Effect::Deliver {
                    receipt,
                    conn,
                    frame,
                } => {
                    let outcome = self.world.deliver(
                        Socket {
                            node: at,
                            key: conn,
                        },
                        frame.text,
                    );
                    if let Some(receipt) = receipt {
                        shard.settled(&self.world.env(view), receipt, outcome, &mut fx);
                    }
                }
                Effect::Ask { ticket, request } => {
                    self.world.owed.push_back(Owed::Asked(at, ticket, *request));
                }
                Effect::Publish { parcel, .. } => {
                    if let Err(parcel) = sender.push(self.world.now_ms, parcel) {
                        let env = self.world.env(view);
                        shard.decided(&env, parcel, Settled::Unsent, &mut fx);
                    }
                }
                Effect::Tell { conn, notice } => {
                    let (socket, input) = (
                        Socket {
                            node: at,
                            key: conn,
                        },
                        Input::Notice(notice),
                    );
                    self.world
                        .owed
                        .push_back(Owed::Told(socket, Box::new(input)));
                }
                Effect::Decided(verdict) => decided = Some(verdict),
                Effect::PublishBestEffort { .. }
                | Effect::Unload(_)
                | Effect::Met(_)
                | Effect::Close { .. }
                | Effect::Note(_)
                | Effect::Verify(_)
                | Effect::Join(_)
                | Effect::Route(_)
                | Effect::Request(_)
                | Effect::Leave(_)
                | Effect::Ping => {}
            }
        }
        decided
    }
}
