//! Where effects become I/O, and where they are counted.
//!
//! | file | does |
//! | --- | --- |
//! | `session.rs` | what a session wants, under its own lock |
//! | `tenant.rs` | what the tenants of a shard want, inside the shard's critical section |
//!
//! [`dispatch`] calls them in order. Nothing here waits: a push goes into a bounded queue or is refused.
//! What must happen after the locks are released (writing sockets, telling sessions) is gathered in
//! [`Work`].

mod session;
mod tenant;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::lane::Verdict;
use protocol::message::SendKind;
use protocol::{CloseCode, ErrorCode, Name, Outbound, OutboundKind, StreamId, TenantId};
use router_core::effect::{Fact, Outcome};
use router_core::request::Notice;
use router_core::session::SessionInput;
use router_core::shard::ShardInput;
use router_core::{Env, dispatch};

use session::SessionHold;
use tenant::ShardHold;

use super::{Entry, Node, ShardState, Work, lock};
use crate::dialect::FrameTime;
use crate::ws::{self, Push, StreamKey};

impl Node {
    /// Hands a connection's session one input. Says whether its frames must wait now.
    pub(super) fn input(&self, entry: &Arc<Entry>, input: SessionInput, work: &mut Work) -> bool {
        let moment = work.take_moment(self);
        let env = self.env_at(&moment);
        let mut session = lock(&entry.session);
        let mut hold = SessionHold {
            node: self,
            env: &env,
            entry,
            session: &mut session,
            work,
        };
        dispatch::session(&env, input, &mut hold);
        let wake_ms = session.next_wakeup(self.settings.heartbeat_ms);
        entry
            .wake_ms
            .store(wake_ms.unwrap_or(u64::MAX), Ordering::Relaxed);
        work.keep(moment);
        session.is_waiting()
    }

    /// Does what may be done only when no lock is held: tells sessions, then writes sockets.
    pub(super) fn finish(&self, work: &mut Work) {
        while let Some((entry, notice)) = work.told.pop_front() {
            let joined = matches!(notice, Notice::Joined { .. });
            if joined {
                entry.socket.apply_read_limits();
            }
            let input = self.heard(&entry, notice);
            let waits = self.input(&entry, input, work);
            if joined {
                // Before its `auth_ok` is written: who has that is never displaced.
                entry.open.authenticated();
                self.log_connected(&entry);
            }
            if !waits {
                entry.socket.resume();
            }
        }
        for (entry, bot) in work.registered.drain(..) {
            self.log_registered(&entry, &bot);
        }
        // Few are ever told something, or register: no room is kept for it.
        work.told = VecDeque::new();
        work.registered = Vec::new();
        work.moment = None;
        work.traffic.count(&self.metrics);
        for entry in work.touched.drain(..) {
            entry.socket.flush();
        }
    }

    /// Tells a connection's tenant that its queue has room again.
    pub(super) fn room(&self, entry: &Arc<Entry>, work: &mut Work) {
        let (Some(owner), Some(index)) = (entry.owner.get(), entry.shard()) else {
            return;
        };
        let (tenant, conn) = (owner.tenant().clone(), entry.key);
        let input = ShardInput::Room { tenant, conn };
        self.in_shard(&self.env(&self.view()), index, input, work);
    }

    /// Hands a shard one input and performs what it wants, inside its critical section. Returns what
    /// [`dispatch::shard`] does.
    pub(super) fn in_shard(
        &self,
        env: &Env<'_>,
        index: usize,
        input: ShardInput,
        work: &mut Work,
    ) -> Option<Option<Verdict>> {
        let mut state = lock(&self.shards[index].state);
        self.handle(env, index, &mut state, input, work)
    }

    /// Applies an operator's change to a tenant that is in memory.
    pub(crate) fn set_policy(&self, tenant: &TenantId, policy: router_core::store::TenantPolicy) {
        let mut work = Work::default();
        let input = ShardInput::Policy {
            tenant: tenant.clone(),
            policy,
        };
        self.in_shard(
            &self.env(&self.view()),
            self.shard_of(tenant),
            input,
            &mut work,
        );
        self.finish(&mut work);
    }

    fn handle(
        &self,
        env: &Env<'_>,
        index: usize,
        state: &mut ShardState,
        input: ShardInput,
        work: &mut Work,
    ) -> Option<Option<Verdict>> {
        let cell = &self.shards[index];
        let mut hold = ShardHold {
            node: self,
            env,
            cell,
            shard: &mut state.shard,
            connections: &state.connections,
            work,
        };
        let decided = dispatch::shard(env, input, &mut hold);
        let wake_ms = state.shard.next_wakeup();
        cell.wake_ms
            .store(wake_ms.unwrap_or(u64::MAX), Ordering::Relaxed);
        decided
    }

    fn push(
        &self,
        env: &Env<'_>,
        entry: &Arc<Entry>,
        outbound: Outbound,
        work: &mut Work,
    ) -> Outcome {
        let kind = outbound.kind();
        let is_unpaid = matches!(kind, OutboundKind::Refusal | OutboundKind::Pong);
        let is_answer = is_unpaid || kind == OutboundKind::Answer;
        let class = class_of(&outbound);
        let time = FrameTime {
            now_ms: env.unix_ms,
            least_ms: self.clock_steps.least_ms(entry.key, env.unix_ms),
        };
        let (pushed, bytes) = match entry.dialect.encode(outbound, class, time) {
            Some(outgoing) => {
                let bytes = outgoing.bytes();
                let pushed = entry.socket.push(outgoing, env.now_ms);
                work.touch(entry);
                (pushed, bytes)
            }
            None => (Push::Queued, 0),
        };
        if is_unpaid && entry.has_too_many_unpaid(env.now_ms) {
            let close = match entry.owner.get() {
                Some(_) => CloseCode::TooManyRefusals,
                None => CloseCode::PolicyViolation,
            };
            close_socket(entry, close, work);
        }
        // Every request is owed its answer: a socket that has no room for one cannot go on.
        if is_answer && pushed == Push::Full {
            let is_own_fault = entry.socket.full_since_ms().is_some();
            let close = if is_own_fault {
                CloseCode::SlowConsumer
            } else {
                CloseCode::TryLater
            };
            close_socket(entry, close, work);
        }
        match pushed {
            Push::Queued => Outcome::Queued { bytes },
            Push::Full => Outcome::Full,
            Push::Gone => Outcome::Gone,
        }
    }

    fn note(&self, fact: &Fact, work: &mut Work) {
        let metrics = &self.metrics;
        match fact {
            Fact::Authenticated => metrics.authenticated.increment(1),
            Fact::Refused(code) => {
                metrics.refused(*code);
                work.is_unpaid |= *code == ErrorCode::RateLimited;
            }
            Fact::Delivered { bytes } => work.traffic.delivered(*bytes),
            Fact::Duplicate => metrics.duplicates.increment(1),
            Fact::BestEffortDropped => metrics.best_effort_dropped.increment(1),
            Fact::Unpaid => work.is_unpaid = true,
            Fact::BotOnline(_) => metrics.bots_online.increment(1.0),
            Fact::BotOffline => metrics.bots_online.decrement(1.0),
            Fact::Takeover => metrics.takeovers.increment(1),
            Fact::StoreLostData => metrics.cluster.healed.increment(1),
            Fact::DirectoryRead => metrics.cluster.directory_reads.increment(1),
            Fact::ReadDeferred(deferred) => {
                let (tenant, wait_ms) = &**deferred;
                metrics.cluster.reads_deferred.increment(1);
                if self.reread_line.is_due(self.now_ms()) {
                    tracing::warn!(
                        %tenant, wait_ms,
                        "a directory is read again and again: steps arrive that the store does not have"
                    );
                }
            }
        }
    }
}

fn close_socket(entry: &Arc<Entry>, close: CloseCode, work: &mut Work) {
    entry.socket.close(close);
    work.touch(entry);
}

/// Its place in a queue.
fn class_of(outbound: &Outbound) -> ws::Class {
    match outbound {
        Outbound::Answer { .. }
        | Outbound::Ack { .. }
        | Outbound::Pong { .. }
        | Outbound::Refusal { .. } => ws::Class::Answer,
        Outbound::Presence(_) => ws::Class::Presence,
        Outbound::Delivery(envelope) => {
            let stream = envelope.message.stream_id.as_ref();
            match envelope.message.kind {
                SendKind::Message => {
                    let ends = stream.map(|stream| stream_key(&envelope.from, Some(stream)));
                    ws::Class::Message(ends)
                }
                SendKind::MessagePartial | SendKind::Typing => {
                    ws::Class::Partial(stream_key(&envelope.from, stream))
                }
            }
        }
    }
}

/// The key of a sender's stream; `typing` has none. No name has a space in it.
fn stream_key(from: &Name, stream: Option<&StreamId>) -> StreamKey {
    let stream = stream.map_or("", StreamId::as_str);
    [from.as_str(), " ", stream].concat().into()
}
