//! The order of one tenant's requests while one of them takes two steps.
//!
//! Requests are executed in the order in which they are written, and written in the order of the
//! calls. A load subscribes before it reads; those that are called meanwhile wait for it here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::TenantId;
use tokio::sync::{Mutex as Gate, OwnedMutexGuard};

/// The tenants with a load under way.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<TenantId, Arc<Gate<()>>>>);

/// A place in a tenant's line, which is not yet at its head.
pub(super) struct Place<'a> {
    turns: &'a Turns,
    tenant: TenantId,
    gate: Option<Arc<Gate<()>>>,
}

/// The head of the line, until it is dropped.
pub(super) struct Turn<'a> {
    // Dropped before the place, which then sees who else stands in line.
    _held: Option<OwnedMutexGuard<()>>,
    _place: Place<'a>,
}

impl Turns {
    /// Stands in line, at the end. Without a line there is no waiting, unless this begins one.
    pub(super) fn stand(&self, tenant: &TenantId, begins: bool) -> Place<'_> {
        let mut lines = self.lines();
        let gate = match begins {
            true => Some(lines.entry(tenant.clone()).or_default().clone()),
            false => lines.get(tenant).cloned(),
        };
        Place {
            turns: self,
            tenant: tenant.clone(),
            gate,
        }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<TenantId, Arc<Gate<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Place<'a> {
    /// Waits for all before.
    pub(super) async fn turn(self) -> Turn<'a> {
        let held = match &self.gate {
            Some(gate) => Some(gate.clone().lock_owned().await),
            None => None,
        };
        Turn {
            _held: held,
            _place: self,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.gate.is_none() {
            return;
        }
        let mut lines = self.turns.lines();
        self.gate = None;
        // Whoever stands in line has a count of its own.
        if lines
            .get(&self.tenant)
            .is_some_and(|gate| Arc::strong_count(gate) == 1)
        {
            lines.remove(&self.tenant);
        }
    }
}
