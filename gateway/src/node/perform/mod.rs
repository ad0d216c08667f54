//! The one place where effects become I/O, and where they are counted.
//!
//! A session's effects are performed under its own lock, a shard's inside the shard's critical
//! section, each in order; the outcome of a push is reported back before the next effect. Nothing
//! here waits: a push goes into a bounded queue or is refused. What must happen after the locks are
//! released (writing sockets, telling sessions) is gathered in [`Work`].

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::{CloseCode, ErrorCode, TenantId};
use router_core::effect::{Class, Effect, Effects, Fact, Outbound, Outcome};
use router_core::lane::{Parcel, Settled};
use router_core::request::{Join, Leave, Notice};
use router_core::session;
use router_core::shard::Input;
use router_core::store::Reply;
use router_core::{Env, Session};

use super::{Entry, Node, ShardCell, ShardState, Work, lock};
use crate::ws::{self, Outgoing, Push};

impl Node {
    /// Hands a connection's session one input. Says whether its frames must wait now.
    pub(super) fn input(&self, entry: &Arc<Entry>, input: session::Input, work: &mut Work) -> bool {
        let moment = work.take_moment(self);
        let env = self.env_at(&moment);
        let mut session = lock(&entry.session);
        let mut fx = Effects::default();
        session.handle(&env, input, &mut fx);
        self.perform(&env, entry, &mut session, &mut fx, work);
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

    fn perform(
        &self,
        env: &Env<'_>,
        entry: &Arc<Entry>,
        session: &mut Session,
        fx: &mut Effects,
        work: &mut Work,
    ) {
        while let Some(effect) = fx.pop() {
            match effect {
                Effect::Verify(credential) => {
                    let verdict = self.verify(entry.source, &credential);
                    let verdict = verdict.map(|verified| verified.grant);
                    let verdict = verdict.map_err(|error| self.or_later(error, &credential));
                    session.handle(env, session::Input::Verified(verdict), fx);
                }
                Effect::Join(join) => self.join(env, entry, join, work),
                Effect::Route(mut route) => {
                    let span = self.tracer.begin(env.nodes.own, &mut route);
                    let _span = span.map(tracing::Span::entered);
                    self.own_shard(env, entry, Input::Route(route), work);
                }
                Effect::Request(request) => {
                    self.own_shard(env, entry, Input::Request(request), work);
                }
                Effect::Leave(leave) => self.leave(env, entry, leave, work),
                Effect::Ping => {
                    entry.socket.ping(bytes::Bytes::new());
                    work.touch(entry);
                }
                Effect::Deliver { frame, conn, .. } => {
                    debug_assert_eq!(conn, entry.key, "a session delivers to itself only");
                    self.push(env, entry, frame, work);
                }
                Effect::Close { close, .. } => close_socket(entry, close, work),
                Effect::Note(fact) => self.note(&fact, work),
                Effect::Ask { .. }
                | Effect::Tell { .. }
                | Effect::Publish { .. }
                | Effect::PublishBestEffort { .. }
                | Effect::Decided(_)
                | Effect::Met(_)
                | Effect::Unload(_) => {
                    debug_assert!(false, "only tenants want that");
                }
            }
        }
    }

    fn own_shard(&self, env: &Env<'_>, entry: &Arc<Entry>, input: Input, work: &mut Work) {
        if let Some(index) = entry.shard() {
            self.in_shard(env, index, input, work);
        }
    }

    fn join(&self, env: &Env<'_>, entry: &Arc<Entry>, mut join: Box<Join>, work: &mut Work) {
        let tenant = join.tenant();
        let index = self.shard_of(tenant);
        entry.set_shard(index);
        let mut state = lock(&self.shards[index].state);
        let client = self.client_keys.hash_one(join.client_id());
        if !state.enter(self, tenant, client, entry) {
            close_socket(entry, CloseCode::TryLater, work);
        }
        join.kept = state.budgets_of(self, join.tenant()).kept;
        self.handle(env, index, &mut state, Input::Join(join), work);
    }

    fn leave(&self, env: &Env<'_>, entry: &Arc<Entry>, leave: Leave, work: &mut Work) {
        let Some(index) = entry.shard() else { return };
        let mut state = lock(&self.shards[index].state);
        let tenant = leave.tenant.clone();
        self.handle(env, index, &mut state, Input::Leave(leave), work);
        state.exit(&tenant, entry.key);
    }

    /// Tells a connection's tenant that its queue has room again.
    pub(super) fn room(&self, entry: &Arc<Entry>, work: &mut Work) {
        let (Some(owner), Some(index)) = (entry.owner.get(), entry.shard()) else {
            return;
        };
        let (tenant, conn) = (owner.tenant().clone(), entry.key);
        let input = Input::Room { tenant, conn };
        self.in_shard(&self.env(&self.view()), index, input, work);
    }

    /// Hands a shard one input and performs what it wants, inside its critical section.
    pub(super) fn in_shard(&self, env: &Env<'_>, index: usize, input: Input, work: &mut Work) {
        let mut state = lock(&self.shards[index].state);
        self.handle(env, index, &mut state, input, work);
    }

    /// Applies an operator's change to a tenant that is in memory.
    pub(crate) fn set_policy(&self, tenant: &TenantId, policy: router_core::store::Policy) {
        let mut work = Work::default();
        let input = Input::Policy {
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
        input: Input,
        work: &mut Work,
    ) {
        let mut fx = Effects::default();
        state.shard.handle(env, input, &mut fx);
        self.perform_shard(env, index, state, &mut fx, work);
    }

    /// Tells a tenant what became of what it sent to another node.
    pub(super) fn decided(
        &self,
        env: &Env<'_>,
        index: usize,
        parcel: Parcel,
        settled: Settled,
        work: &mut Work,
    ) {
        let mut state = lock(&self.shards[index].state);
        let mut fx = Effects::default();
        state.shard.decided(env, parcel, settled, &mut fx);
        self.perform_shard(env, index, &mut state, &mut fx, work);
    }

    fn perform_shard(
        &self,
        env: &Env<'_>,
        index: usize,
        state: &mut ShardState,
        fx: &mut Effects,
        work: &mut Work,
    ) {
        let cell: &ShardCell = &self.shards[index];
        let ShardState {
            shard, connections, ..
        } = state;
        while let Some(effect) = fx.pop() {
            match effect {
                Effect::Deliver {
                    receipt,
                    conn,
                    frame,
                } => {
                    let outcome = match connections.get(&conn) {
                        Some(entry) => self.push(env, entry, frame, work),
                        None => Outcome::Gone,
                    };
                    if let Some(receipt) = receipt {
                        shard.settled(env, receipt, outcome, fx);
                    }
                }
                Effect::Ask { ticket, request } => {
                    if let Err(refused) = cell.store.try_send((ticket, *request)) {
                        self.metrics.store_full.increment(1);
                        let (ticket, _) = refused.into_inner();
                        let reply = Reply::Refused(ErrorCode::StoreUnavailable);
                        shard.handle(env, Input::Reply { ticket, reply }, fx);
                    }
                }
                Effect::Tell { conn, notice } => {
                    if let Some(entry) = connections.get(&conn) {
                        work.told.push_back((Arc::clone(entry), notice));
                    }
                }
                Effect::Close { conn, close } => {
                    if let Some(entry) = connections.get(&conn) {
                        close_socket(entry, close, work);
                    }
                }
                Effect::Note(fact) => {
                    if let Fact::BotOnline(online) = &fact
                        && let (home, bot) = &**online
                        && let Some(entry) = connections.get(home)
                    {
                        work.registered.push((Arc::clone(entry), bot.clone()));
                    }
                    self.note(&fact, work);
                }
                Effect::Publish { node, parcel } => {
                    let own = env.nodes.own;
                    let refused = self.lanes.push(env.now_ms, own, node, parcel);
                    if let Some((parcel, settled)) = refused {
                        shard.decided(env, parcel, settled, fx);
                    }
                }
                Effect::PublishBestEffort {
                    tenant,
                    node,
                    stream,
                    envelope,
                } => {
                    let own = env.nodes.own;
                    let lanes = &self.lanes;
                    if !lanes.push_best_effort(own, node, &tenant, *stream, envelope) {
                        self.note(&Fact::BestEffortDropped, work);
                    }
                }
                Effect::Decided(verdict) => work.decided = Some(verdict),
                Effect::Unload(tenant) => self.backplane.unload(&tenant),
                Effect::Met(boot) => self.met(boot),
                Effect::Verify(_)
                | Effect::Join(_)
                | Effect::Route(_)
                | Effect::Request(_)
                | Effect::Leave(_)
                | Effect::Ping => debug_assert!(false, "only sessions want that"),
            }
        }
        cell.wake_ms
            .store(shard.next_wakeup().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn push(&self, env: &Env<'_>, entry: &Arc<Entry>, frame: Outbound, work: &mut Work) -> Outcome {
        let is_unpaid = matches!(frame.class, Class::Refusal | Class::Pong);
        let is_answer = is_unpaid || frame.class == Class::Answer;
        let text = self.floors.raise(entry.key, env.unix_ms, frame.text);
        let pushed = entry
            .socket
            .push(Outgoing::text(text, class_of(frame.class)), env.now_ms);
        work.touch(entry);
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
            Push::Queued => Outcome::Queued,
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

fn class_of(class: Class) -> ws::Class {
    match class {
        Class::Answer | Class::Refusal | Class::Pong => ws::Class::Answer,
        Class::Presence => ws::Class::Presence,
        Class::Message { ends } => ws::Class::Message(ends),
        Class::Partial { of } => ws::Class::Partial(of),
    }
}
