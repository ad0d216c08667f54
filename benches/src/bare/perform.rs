//! Effects become inputs of other machines, or are counted.

use std::sync::Arc;

use bytes::Bytes;
use protocol::lane::Verdict;
use protocol::t2b::encode;
use protocol::{BootId, CloseCode, Outbound, TenantId};
use router_core::auth::{AuthError, Credential};
use router_core::dispatch::{self, SessionPerformer, TenantPerformer};
use router_core::effect::{Outcome, RouterFact, Ticket};
use router_core::lane::{BestEffortStream, LaneOutcome, Parcel};
use router_core::permit::Grant;
use router_core::request::{
    FrameUsage, JoinRequest, LeaveRequest, RouteRequest, SessionNotice, TenantRequest,
};
use router_core::session::SessionInput;
use router_core::shard::ShardInput;
use router_core::store::StoreRequest;
use router_core::{ConnKey, Env, NodeView, Session, Settings, Shard};

use super::{BareCluster, BareSession, Owed, Socket, World, shard_of};

impl World {
    /// The world for one `handle`.
    pub(super) fn env<'a>(&self, settings: &'a Settings, nodes: &'a NodeView) -> Env<'a> {
        Env {
            now_ms: self.now_ms,
            unix_ms: self.now_ms,
            entropy: self.entropy,
            settings,
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

    fn deliver(&mut self, to: Socket, outbound: Outbound) -> Outcome {
        let text = encode::outbound(outbound, self.now_ms);
        let bytes = text.len();
        self.delivered.frames += 1;
        self.delivered.bytes += bytes as u64;
        self.delivered.last = Some((to, text));
        Outcome::Queued { bytes }
    }
}

impl BareCluster {
    /// Hands a session one input, and does all that follows from it on this node.
    pub(super) fn input(&mut self, socket: Socket, input: SessionInput) {
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

    fn session(&mut self, socket: Socket, input: SessionInput) {
        self.world.stir();
        let settings = Arc::clone(&self.world.settings);
        let view = Arc::clone(&self.nodes[socket.node].view);
        let env = self.world.env(&settings, &view);
        let cluster = self;
        dispatch::session(&env, input, &mut SessionHold { cluster, socket });
    }

    /// One hold of a tenant's shard. Returns what was decided about a message of the other node.
    pub(super) fn shard(
        &mut self,
        at: usize,
        shard: usize,
        input: ShardInput,
    ) -> Option<Option<Verdict>> {
        let settings = Arc::clone(&self.world.settings);
        let view = Arc::clone(&self.nodes[at].view);
        let env = self.world.env(&settings, &view);
        let cluster = self;
        dispatch::shard(&env, input, &mut ShardHold { cluster, at, shard })
    }
}

/// A session that is handled.
struct SessionHold<'a> {
    cluster: &'a mut BareCluster,
    socket: Socket,
}

impl SessionHold<'_> {
    fn bare(&mut self) -> &mut BareSession {
        let Socket { node, key } = self.socket;
        &mut self.cluster.nodes[node].sessions[key.0 as usize]
    }

    fn hand_to_shard(&mut self, input: ShardInput) {
        let shard = self.bare().shard;
        self.cluster.shard(self.socket.node, shard, input);
    }
}

impl SessionPerformer for SessionHold<'_> {
    fn session(&mut self) -> &mut Session {
        &mut self.bare().session
    }

    fn verify(&mut self, credential: &Credential) -> Result<Grant, AuthError> {
        let World {
            keyring, now_ms, ..
        } = &self.cluster.world;
        let verdict = keyring.verify(credential, *now_ms);
        verdict.map(|verified| verified.grant)
    }

    fn join(&mut self, join: Box<JoinRequest>) {
        self.bare().shard = shard_of(join.tenant());
        self.hand_to_shard(ShardInput::Join(join));
    }

    fn route(&mut self, route: Box<RouteRequest>) {
        self.hand_to_shard(ShardInput::Route(route));
    }

    fn request(&mut self, request: Box<TenantRequest>) {
        self.hand_to_shard(ShardInput::Request(request));
    }

    fn leave(&mut self, leave: LeaveRequest) {
        self.hand_to_shard(ShardInput::Leave(leave));
    }

    fn push(&mut self, outbound: Outbound) -> Outcome {
        self.cluster.world.deliver(self.socket, outbound)
    }

    fn count(&mut self, frame: FrameUsage) {
        self.hand_to_shard(ShardInput::Answered(frame));
    }

    fn ping(&mut self) {}

    fn close(&mut self, _: CloseCode) {}

    fn note(&mut self, _: RouterFact) {}
}

/// A shard that is handled.
struct ShardHold<'a> {
    cluster: &'a mut BareCluster,
    at: usize,
    shard: usize,
}

impl ShardHold<'_> {
    fn socket(&self, key: ConnKey) -> Socket {
        Socket { node: self.at, key }
    }
}

impl TenantPerformer for ShardHold<'_> {
    fn shard(&mut self) -> &mut Shard {
        &mut self.cluster.nodes[self.at].shards[self.shard]
    }

    fn push(&mut self, conn: ConnKey, outbound: Outbound) -> Outcome {
        let socket = self.socket(conn);
        self.cluster.world.deliver(socket, outbound)
    }

    fn ask(&mut self, ticket: Ticket, request: Box<StoreRequest>) -> Result<(), Ticket> {
        let asked = Owed::Asked(self.at, ticket, *request);
        self.cluster.world.owed.push_back(asked);
        Ok(())
    }

    fn publish(&mut self, _: BootId, parcel: Parcel) -> Result<(), (Parcel, LaneOutcome)> {
        let BareCluster { nodes, world } = &mut *self.cluster;
        let pushed = nodes[self.at].sender.push(world.now_ms, parcel);
        pushed.map_err(|parcel| (parcel, LaneOutcome::Unsent))
    }

    fn tell(&mut self, conn: ConnKey, notice: SessionNotice) {
        let told = Owed::Told(self.socket(conn), Box::new(SessionInput::Notice(notice)));
        self.cluster.world.owed.push_back(told);
    }

    fn publish_best_effort(&mut self, _: TenantId, _: BootId, _: BestEffortStream, _: Bytes) {}

    fn close(&mut self, _: ConnKey, _: CloseCode) {}

    fn discover(&mut self, _: BootId) {}

    fn unload(&mut self, _: TenantId) {}

    fn note(&mut self, _: RouterFact) {}
}
