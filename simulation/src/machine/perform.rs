//! Performs what sessions and shards want.
//!
//! A shard's effects are performed inside its hold. Words to sessions wait until no shard is held.

use std::sync::Arc;

use bytes::Bytes;
use protocol::lane::Verdict;
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
use router_core::{ConnKey, Session, Shard};

use super::SimMachine;
use crate::outside::OutsideWorld;

impl SimMachine {
    /// One hold of a shard. Returns what was decided about a message from another node.
    pub(super) fn shard(
        &mut self,
        outside: &mut OutsideWorld,
        at: usize,
        input: ShardInput,
    ) -> Option<Option<Verdict>> {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = self.env(outside, &settings, &nodes);
        let machine = self;
        let mut hold = ShardHold {
            machine,
            outside,
            at,
        };
        dispatch::shard(&env, input, &mut hold)
    }

    /// Tells sessions what they are owed, until they are owed nothing.
    pub(super) fn talk(&mut self, outside: &mut OutsideWorld) {
        while let Some((key, input)) = self.words.pop_front() {
            self.session(outside, key, *input);
        }
    }

    pub(super) fn session(
        &mut self,
        outside: &mut OutsideWorld,
        key: ConnKey,
        input: SessionInput,
    ) {
        if !self.sockets.contains_key(&key) {
            return;
        }
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = self.env(outside, &settings, &nodes);
        let mut hold = SessionHold {
            machine: self,
            outside,
            key,
        };
        dispatch::session(&env, input, &mut hold);
        self.next_frame(outside, key);
    }
}

/// A shard that is handled.
struct ShardHold<'a> {
    machine: &'a mut SimMachine,
    outside: &'a mut OutsideWorld,
    at: usize,
}

impl TenantPerformer for ShardHold<'_> {
    fn shard(&mut self) -> &mut Shard {
        &mut self.machine.shards[self.at]
    }

    fn push(&mut self, conn: ConnKey, outbound: Outbound) -> Outcome {
        self.machine.push(self.outside, conn, outbound)
    }

    fn ask(&mut self, ticket: Ticket, request: Box<StoreRequest>) -> Result<(), Ticket> {
        self.outside.ask(self.machine.process, ticket, *request);
        Ok(())
    }

    fn publish(&mut self, node: BootId, parcel: Parcel) -> Result<(), (Parcel, LaneOutcome)> {
        let sent = self.machine.send(self.outside, node, parcel);
        sent.map_err(|parcel| (parcel, LaneOutcome::Unsent))
    }

    fn publish_best_effort(
        &mut self,
        tenant: TenantId,
        node: BootId,
        stream: BestEffortStream,
        envelope: Bytes,
    ) {
        self.machine
            .send_best_effort(node, tenant, stream, envelope);
    }

    fn tell(&mut self, conn: ConnKey, notice: SessionNotice) {
        let input = SessionInput::Notice(notice);
        self.machine.words.push_back((conn, Box::new(input)));
    }

    fn close(&mut self, conn: ConnKey, close: CloseCode) {
        self.machine.close(self.outside, conn, close);
    }

    fn discover(&mut self, node: BootId) {
        self.machine.discovered.push(node);
    }

    fn unload(&mut self, tenant: TenantId) {
        let (now_ms, machine) = (self.outside.now_ms, self.machine.process.machine);
        self.outside
            .observer
            .trace(now_ms, || format!("node {machine} forgets {tenant}"));
        self.outside.redis.unsubscribe(machine, &tenant);
        let process = self.machine.process;
        self.outside.observer.quota_forgotten(process, &tenant);
    }

    fn note(&mut self, _: RouterFact) {}
}

/// A session that is handled.
struct SessionHold<'a> {
    machine: &'a mut SimMachine,
    outside: &'a mut OutsideWorld,
    key: ConnKey,
}

impl SessionHold<'_> {
    fn hand_to_shard(&mut self, tenant: &TenantId, input: ShardInput) {
        let at = self.machine.shard_of(tenant);
        self.machine.shard(self.outside, at, input);
    }
}

impl SessionPerformer for SessionHold<'_> {
    fn session(&mut self) -> &mut Session {
        let socket = self.machine.sockets.get_mut(&self.key);
        &mut socket
            .expect("a socket outlives what is done for it")
            .session
    }

    fn verify(&mut self, credential: &Credential) -> Result<Grant, AuthError> {
        let verdict = self.outside.keyring.verify(credential, self.outside.now_ms);
        verdict.map(|verified| verified.grant)
    }

    fn join(&mut self, join: Box<JoinRequest>) {
        let tenant = join.tenant().clone();
        self.hand_to_shard(&tenant, ShardInput::Join(join));
    }

    fn route(&mut self, route: Box<RouteRequest>) {
        let tenant = route.tenant().clone();
        self.hand_to_shard(&tenant, ShardInput::Route(route));
    }

    fn request(&mut self, request: Box<TenantRequest>) {
        let tenant = request.tenant().clone();
        self.hand_to_shard(&tenant, ShardInput::Request(request));
    }

    fn leave(&mut self, leave: LeaveRequest) {
        let tenant = leave.tenant.clone();
        self.hand_to_shard(&tenant, ShardInput::Leave(leave));
    }

    /// Its peer answers pings.
    fn ping(&mut self) {
        let input = Box::new(SessionInput::Alive);
        self.machine.words.push_back((self.key, input));
    }

    fn push(&mut self, outbound: Outbound) -> Outcome {
        self.machine.push(self.outside, self.key, outbound)
    }

    fn count(&mut self, frame: FrameUsage) {
        let tenant = frame.tenant.clone();
        self.hand_to_shard(&tenant, ShardInput::Answered(frame));
    }

    fn close(&mut self, close: CloseCode) {
        self.machine.close(self.outside, self.key, close);
    }

    fn note(&mut self, _: RouterFact) {}
}
