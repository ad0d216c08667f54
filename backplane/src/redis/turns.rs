//! The order of one tenant's requests while one of them takes two steps.
//!
//! Requests are executed in the order in which they are written, and written in the order of the
//! calls. A load subscribes before it reads; requests of the same queue that are called meanwhile
//! wait for it here. Those of other queues do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::TenantId;
use router_core::store::StoreQueue;
use tokio::sync::{Mutex as Gate, OwnedMutexGuard};

/// The tenants of one queue with a load under way.
type TenantLines = BTreeMap<TenantId, Arc<Gate<()>>>;

/// The tenants with a load under way, by queue.
#[derive(Debug, Default)]
pub(crate) struct TenantTurns([Mutex<TenantLines>; StoreQueue::ALL.len()]);

/// A place in a tenant's line, which is not yet at its head.
pub(crate) struct TurnPlace<'a> {
    lines: &'a Mutex<TenantLines>,
    tenant: TenantId,
    gate: Option<Arc<Gate<()>>>,
}

/// The head of the line, until it is dropped.
pub(crate) struct TenantTurn<'a> {
    // Dropped before the place, which then sees who else stands in line.
    _held: Option<OwnedMutexGuard<()>>,
    _place: TurnPlace<'a>,
}

impl TenantTurns {
    /// Stands in line, at the end. Without a line there is no waiting, unless this begins one.
    pub(crate) fn stand(
        &self,
        queue: StoreQueue,
        tenant: &TenantId,
        begins: bool,
    ) -> TurnPlace<'_> {
        let lines = &self.0[queue.index()];
        let gate = match begins {
            true => Some(lock(lines).entry(tenant.clone()).or_default().clone()),
            false => lock(lines).get(tenant).cloned(),
        };
        TurnPlace {
            lines,
            tenant: tenant.clone(),
            gate,
        }
    }
}

impl<'a> TurnPlace<'a> {
    /// Waits for all before.
    pub(crate) async fn turn(self) -> TenantTurn<'a> {
        let held = match &self.gate {
            Some(gate) => Some(gate.clone().lock_owned().await),
            None => None,
        };
        TenantTurn {
            _held: held,
            _place: self,
        }
    }
}

impl Drop for TurnPlace<'_> {
    fn drop(&mut self) {
        if self.gate.is_none() {
            return;
        }
        let mut lines = lock(self.lines);
        self.gate = None;
        // Every other place in the line holds a count of its own.
        if lines
            .get(&self.tenant)
            .is_some_and(|gate| Arc::strong_count(gate) == 1)
        {
            lines.remove(&self.tenant);
        }
    }
}

fn lock(lines: &Mutex<TenantLines>) -> MutexGuard<'_, TenantLines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
