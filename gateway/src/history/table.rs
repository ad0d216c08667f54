//! The histories of all tenants, bounded in bytes.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::TenantId;

use super::tenant::TenantHistory;

/// Parts of the table, each behind a lock of its own: refusals of many tenants come side by side.
pub(super) const PARTS: usize = 16;
/// What a tenant takes besides its history: its entries in two maps.
pub(super) const ENTRY_BYTES: usize = 320;

/// What happened to the tenants of a node.
///
/// Each part has the same share of the bytes. Beyond it, the tenant goes of which nothing happened for
/// longest. A tenant that is flooded replaces its own events only: it takes no second place.
#[derive(Debug)]
pub(crate) struct HistoryTable {
    parts: Vec<Mutex<HistoryPart>>,
    hasher: RandomState,
    /// Most bytes of a part.
    part_bytes_max: usize,
}

#[derive(Debug, Default)]
struct HistoryPart {
    tenants: HashMap<TenantId, HistoryPlace>,
    /// The tenants by the number of their last event.
    by_event: BTreeMap<u64, TenantId>,
    next: u64,
    bytes: usize,
}

#[derive(Debug, Default)]
struct HistoryPlace {
    history: TenantHistory,
    /// The number of its last event.
    last: u64,
    /// What is charged for it.
    bytes: usize,
}

impl HistoryTable {
    /// An empty table that takes at most so many bytes.
    pub(crate) fn new(bytes_max: u64) -> Self {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            part_bytes_max: bytes_max / PARTS,
        }
    }

    /// Adds to the history of a tenant that a verified credential named.
    pub(crate) fn write(&self, tenant: &TenantId, add: impl FnOnce(&mut TenantHistory)) {
        self.part(tenant).write(tenant, self.part_bytes_max, add);
    }

    /// Adds to the history of a tenant that somebody claims to be. Whoever invents tenants writes
    /// nothing: a tenant that is not remembered stays so.
    pub(crate) fn write_if_known(&self, tenant: &TenantId, add: impl FnOnce(&mut TenantHistory)) {
        let mut part = self.part(tenant);
        if part.tenants.contains_key(tenant) {
            part.write(tenant, self.part_bytes_max, add);
        }
    }

    /// Reads the history of a tenant; `None`: it has none.
    pub(crate) fn read<T>(
        &self,
        tenant: &TenantId,
        read: impl FnOnce(&TenantHistory) -> T,
    ) -> Option<T> {
        let part = self.part(tenant);
        let place = part.tenants.get(tenant)?;
        Some(read(&place.history))
    }

    fn part(&self, tenant: &TenantId) -> MutexGuard<'_, HistoryPart> {
        let part = &self.parts[self.hasher.hash_one(tenant) as usize % PARTS];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all histories take, bytes, and how many there are.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        let parts = self.parts.iter().map(|part| part.lock().unwrap());
        let each = parts.map(|part| (part.bytes, part.tenants.len()));
        each.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

impl HistoryPart {
    fn write(&mut self, tenant: &TenantId, bytes_max: usize, add: impl FnOnce(&mut TenantHistory)) {
        let is_new = !self.tenants.contains_key(tenant);
        let place = self.tenants.entry(tenant.clone()).or_default();
        add(&mut place.history);
        if place.history.take_resized() {
            let bytes = ENTRY_BYTES + place.history.bytes();
            self.bytes = self.bytes + bytes - std::mem::replace(&mut place.bytes, bytes);
        }
        // The newest one already has the highest number.
        if is_new || place.last + 1 != self.next {
            let last = std::mem::replace(&mut place.last, self.next);
            if !is_new {
                self.by_event.remove(&last);
            }
            self.by_event.insert(self.next, tenant.clone());
            self.next += 1;
        }
        while self.bytes > bytes_max && self.tenants.len() > 1 {
            self.forget_oldest();
        }
    }

    /// Forgets the tenant of which nothing happened for longest.
    fn forget_oldest(&mut self) {
        let Some((_, tenant)) = self.by_event.pop_first() else {
            return;
        };
        if let Some(gone) = self.tenants.remove(&tenant) {
            self.bytes -= gone.bytes;
        }
    }
}
