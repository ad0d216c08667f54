//! A connection, as the node knows it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use router_core::auth::Source;
use router_core::{ConnKey, Millis, Session};

use super::tenant_budgets::SocketOwner;
use super::unpaid_answers::UnpaidAnswers;
use crate::dialect::Dialect;
use crate::gate::OpenGuard;
use crate::ws::Connection;

/// A connection, as the node knows it.
pub(crate) struct ConnectionEntry {
    pub(crate) key: ConnKey,
    pub(crate) socket: Arc<Connection>,
    /// What is spoken on it.
    pub(super) dialect: Dialect,
    pub(super) source: Source,
    /// Its place at the gate, which is told when it has authenticated.
    pub(super) open: OpenGuard,
    pub(super) session: Mutex<Session>,
    /// When the session wants to be woken; `u64::MAX` = never.
    pub(super) wake_ms: AtomicU64,
    /// When bytes were last seen to move, on the node's clock.
    pub(super) moved_ms: AtomicU64,
    /// Index of its tenant's shard, once it has a tenant; `u32::MAX` before.
    shard: AtomicU32,
    /// Whose it is, once that is known.
    pub(super) owner: OnceLock<SocketOwner>,
    unpaid: UnpaidAnswers,
}

impl ConnectionEntry {
    pub(super) fn new(
        key: ConnKey,
        session: Session,
        (source, open): (Source, OpenGuard),
        (dialect, socket): (Dialect, Arc<Connection>),
    ) -> Self {
        Self {
            key,
            socket,
            dialect,
            source,
            open,
            session: Mutex::new(session),
            wake_ms: AtomicU64::new(u64::MAX),
            moved_ms: AtomicU64::new(0),
            shard: AtomicU32::new(u32::MAX),
            owner: OnceLock::new(),
            unpaid: UnpaidAnswers::default(),
        }
    }

    pub(super) fn shard(&self) -> Option<usize> {
        let index = self.shard.load(Ordering::Relaxed);
        (index != u32::MAX).then_some(index as usize)
    }

    /// Counts an answer that no rate pays for; says whether that closes the socket.
    pub(super) fn has_too_many_unpaid(&self, now_ms: Millis) -> bool {
        let of_tenant = self.owner.get().map(|owner| &owner.share.unpaid);
        self.unpaid.are_too_many(of_tenant, now_ms)
    }

    /// `index`: of the shard of its tenant.
    pub(super) fn set_shard(&self, index: usize) {
        self.shard.store(index as u32, Ordering::Relaxed);
    }
}
