//! A connection, as the node knows it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use router_core::{ConnKey, Session};
use smol_str::SmolStr;

use super::tenant_budgets::SocketOwner;
use super::work::Refusals;
use crate::gate::Open;
use crate::ws::{Connection, ReadLimits};

/// A connection, as the node knows it.
pub(crate) struct Entry {
    pub(crate) key: ConnKey,
    pub(crate) socket: Arc<Connection>,
    pub(super) source: SmolStr,
    /// Its place at the gate, which is told when it has authenticated.
    pub(super) open: Open,
    pub(super) session: Mutex<Session>,
    /// When the session wants to be woken; `u64::MAX` = never.
    pub(super) wake_ms: AtomicU64,
    /// When bytes were last seen to move, on the node's clock.
    pub(super) moved_ms: AtomicU64,
    /// Index of its tenant's shard, once it has a tenant; `usize::MAX` before.
    pub(super) shard: AtomicUsize,
    /// Whose it is, once that is known.
    pub(super) owner: OnceLock<SocketOwner>,
    /// What it may send once it has joined its tenant, between its verification and that.
    pub(super) read_limits: Mutex<Option<Box<ReadLimits>>>,
    pub(super) refusals: Mutex<Refusals>,
}

impl Entry {
    pub(super) fn shard(&self) -> Option<usize> {
        let index = self.shard.load(Ordering::Relaxed);
        (index != usize::MAX).then_some(index)
    }
}
