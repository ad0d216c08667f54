//! The connections of the node, whatever their tenant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use router_core::ConnKey;

use super::entry::ConnectionEntry;
use super::lock::lock;

/// Slots of the table: accepting and ticking lock one at a time.
const SLOTS: usize = 64;

/// Every connection by its key.
pub(super) struct ConnectionTable {
    slots: Vec<Mutex<HashMap<ConnKey, Arc<ConnectionEntry>>>>,
    next_key: AtomicU64,
}

impl Default for ConnectionTable {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
            next_key: AtomicU64::new(1),
        }
    }
}

impl ConnectionTable {
    /// A key that no connection of this process had before.
    pub(super) fn new_key(&self) -> ConnKey {
        ConnKey(self.next_key.fetch_add(1, Ordering::Relaxed))
    }

    /// The key of the next connection: all before it have lower ones.
    pub(super) fn next_key(&self) -> u64 {
        self.next_key.load(Ordering::Relaxed)
    }

    pub(super) fn insert(&self, entry: &Arc<ConnectionEntry>) {
        lock(self.slot(entry.key)).insert(entry.key, Arc::clone(entry));
    }

    pub(super) fn remove(&self, key: ConnKey) {
        lock(self.slot(key)).remove(&key);
    }

    pub(super) fn contains(&self, key: ConnKey) -> bool {
        lock(self.slot(key)).contains_key(&key)
    }

    pub(super) fn count(&self) -> usize {
        self.slots.iter().map(|slot| lock(slot).len()).sum()
    }

    /// Everybody who is connected, slot by slot; no lock is held meanwhile.
    pub(super) fn for_each(&self, mut then: impl FnMut(&Arc<ConnectionEntry>)) {
        for slot in &self.slots {
            let entries: Vec<Arc<ConnectionEntry>> = lock(slot).values().cloned().collect();
            entries.iter().for_each(&mut then);
        }
    }

    fn slot(&self, key: ConnKey) -> &Mutex<HashMap<ConnKey, Arc<ConnectionEntry>>> {
        &self.slots[key.0 as usize % SLOTS]
    }
}
