//! How sessions and shards are handed their inputs, and what is done when no lock is held.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::TenantId;
use protocol::lane::Verdict;
use router_core::request::SessionNotice;
use router_core::session::SessionInput;
use router_core::shard::ShardInput;
use router_core::{Env, dispatch};

use super::session::SessionHold;
use super::tenant::ShardHold;
use crate::node::core::Node;
use crate::node::entry::ConnectionEntry;
use crate::node::lock::lock;
use crate::node::shards::ShardState;
use crate::node::work::DeferredWork;

impl Node {
    /// Hands a connection's session one input. Says whether its frames must wait now.
    pub(in crate::node) fn input(
        &self,
        entry: &Arc<ConnectionEntry>,
        input: SessionInput,
        work: &mut DeferredWork,
    ) -> bool {
        let moment = self.moment_of(work);
        let env = self.env_at(&moment);
        let mut session = lock(&entry.session);
        let mut hold = SessionHold {
            node: self,
            env: &env,
            read_at: moment.at,
            entry,
            session: &mut session,
            work,
        };
        dispatch::session(&env, input, &mut hold);
        let wake_ms = session.next_wakeup(env.settings.heartbeat_ms);
        entry
            .wake_ms
            .store(wake_ms.unwrap_or(u64::MAX), Ordering::Relaxed);
        work.moment = Some(moment);
        session.is_waiting()
    }

    /// Does what may be done only when no lock is held: tells sessions, then writes sockets.
    pub(in crate::node) fn finish(&self, work: &mut DeferredWork) {
        while let Some((entry, notice)) = work.told.pop_front() {
            let joined = matches!(notice, SessionNotice::Joined { .. });
            if joined || matches!(notice, SessionNotice::Limited(_)) {
                entry.socket.apply_read_limits();
            }
            let input = self.heard(&entry, notice);
            let waits = self.input(&entry, input, work);
            if joined {
                // Before its `auth_ok` is written: who has that is never displaced.
                entry.open.authenticated();
                self.note_connected(&entry);
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
    pub(in crate::node) fn room(&self, entry: &Arc<ConnectionEntry>, work: &mut DeferredWork) {
        let (Some(owner), Some(index)) = (entry.owner.get(), entry.shard()) else {
            return;
        };
        let (tenant, conn) = (owner.tenant().clone(), entry.key);
        let input = ShardInput::Room { tenant, conn };
        self.in_shard(&self.env(&self.snapshot()), index, input, work);
    }

    /// Hands a shard one input and performs what it wants, inside its critical section. Returns what
    /// [`dispatch::shard`] does.
    pub(in crate::node) fn in_shard(
        &self,
        env: &Env<'_>,
        index: usize,
        input: ShardInput,
        work: &mut DeferredWork,
    ) -> Option<Option<Verdict>> {
        let mut state = self.shards.cell(index).lock();
        self.handle(env, index, &mut state, input, work)
    }

    /// Applies an operator's change to a tenant that is in memory.
    pub(crate) fn set_policy(&self, tenant: &TenantId, policy: router_core::store::TenantPolicy) {
        let mut work = DeferredWork::default();
        let input = ShardInput::Policy {
            tenant: tenant.clone(),
            policy,
        };
        self.in_shard(
            &self.env(&self.snapshot()),
            self.shards.index_of(tenant),
            input,
            &mut work,
        );
        self.finish(&mut work);
    }

    pub(in crate::node) fn handle(
        &self,
        env: &Env<'_>,
        index: usize,
        state: &mut ShardState,
        input: ShardInput,
        work: &mut DeferredWork,
    ) -> Option<Option<Verdict>> {
        let cell = self.shards.cell(index);
        // Those of the caller may be from before a reload that this shard has seen.
        let settings = Arc::clone(&state.settings);
        let env = &Env {
            settings: &settings,
            ..*env
        };
        let mut hold = ShardHold {
            node: self,
            env,
            cell,
            shard: &mut state.shard,
            connections: &state.connections,
            budgets: &mut state.budgets,
            work,
        };
        let decided = dispatch::shard(env, input, &mut hold);
        let wake_ms = state.shard.next_wakeup();
        cell.wake_ms
            .store(wake_ms.unwrap_or(u64::MAX), Ordering::Relaxed);
        decided
    }
}
