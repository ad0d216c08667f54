//! What a session wants, done under its lock.

use std::sync::Arc;
use std::time::Instant;

use protocol::message::SendKind;
use protocol::{CloseCode, Outbound};
use router_core::auth::{AuthError, Credential};
use router_core::dispatch::SessionPerformer;
use router_core::effect::{Outcome, RouterFact};
use router_core::permit::Grant;
use router_core::request::{FrameUsage, JoinRequest, LeaveRequest, RouteRequest, TenantRequest};
use router_core::shard::ShardInput;
use router_core::{Env, Session};

use super::close::close_socket;
use crate::node::core::Node;
use crate::node::entry::ConnectionEntry;
use crate::node::history::connection_of;
use crate::node::message_sample::MessageSample;
use crate::node::work::DeferredWork;

/// A session whose lock is held.
pub(super) struct SessionHold<'a> {
    pub node: &'a Node,
    pub env: &'a Env<'a>,
    /// When its input arrived.
    pub read_at: Instant,
    pub entry: &'a Arc<ConnectionEntry>,
    pub session: &'a mut Session,
    pub work: &'a mut DeferredWork,
}

impl SessionHold<'_> {
    fn hand_to_shard(&mut self, input: ShardInput) {
        if let Some(index) = self.entry.shard() {
            self.node.in_shard(self.env, index, input, self.work);
        }
    }
}

impl SessionPerformer for SessionHold<'_> {
    fn session(&mut self) -> &mut Session {
        self.session
    }

    fn verify(&mut self, credential: &Credential) -> Result<Grant, AuthError> {
        let verdict = self.node.verify(self.entry.source, credential);
        let verdict = verdict.map(|verified| verified.grant);
        verdict.map_err(|error| self.node.or_later(error, credential))
    }

    fn join(&mut self, mut join: Box<JoinRequest>) {
        let node = self.node;
        let tenant = join.tenant();
        // A socket whose client id was refused may try again, but not for another tenant: what it takes is
        // charged to the first one.
        let owner = self.entry.owner.get();
        if owner.is_some_and(|owner| owner.tenant() != tenant) {
            return close_socket(self.entry, CloseCode::TryLater, self.work);
        }
        let index = node.shards.index_of(tenant);
        self.entry.set_shard(index);
        let mut state = node.shards.cell(index).lock();
        let client = node.shards.client_hash(&join.client_id());
        if !state.enter(&node.pools, tenant, client, self.entry) {
            close_socket(self.entry, CloseCode::TryLater, self.work);
        }
        join.kept = state.budgets_of(&node.pools, join.tenant()).kept;
        node.handle(
            self.env,
            index,
            &mut state,
            ShardInput::Join(join),
            self.work,
        );
    }

    fn route(&mut self, mut route: Box<RouteRequest>) {
        let span = self
            .node
            .tracer
            .load()
            .begin(self.env.nodes.own, &mut route);
        let _span = span.map(tracing::Span::entered);
        if route.kind() == SendKind::Message {
            self.work.sample = MessageSample::choose(self.env.entropy, self.read_at);
        }
        self.hand_to_shard(ShardInput::Route(route));
        if let Some(sample) = self.work.sample.take() {
            sample.end(&self.node.metrics.latency);
        }
    }

    fn request(&mut self, request: Box<TenantRequest>) {
        self.hand_to_shard(ShardInput::Request(request));
    }

    fn leave(&mut self, leave: LeaveRequest) {
        let Some(index) = self.entry.shard() else {
            return;
        };
        let node = self.node;
        let mut state = node.shards.cell(index).lock();
        let tenant = leave.tenant.clone();
        node.handle(
            self.env,
            index,
            &mut state,
            ShardInput::Leave(leave),
            self.work,
        );
        state.exit(&tenant, self.entry.key);
    }

    fn ping(&mut self) {
        self.entry.socket.ping(bytes::Bytes::new());
        self.work.touch(self.entry);
    }

    fn push(&mut self, outbound: Outbound) -> Outcome {
        self.node.push(self.env, self.entry, outbound, self.work)
    }

    fn count(&mut self, frame: FrameUsage) {
        self.hand_to_shard(ShardInput::Answered(frame));
    }

    fn close(&mut self, close: CloseCode) {
        close_socket(self.entry, close, self.work);
    }

    fn note(&mut self, fact: RouterFact) {
        if connection_of(&fact).is_some() {
            self.node.remember_fact(self.entry, &fact);
        }
        self.node.note(&fact, self.work);
    }
}
