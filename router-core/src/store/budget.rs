//! The memory that all features of the model share.

use protocol::limits::STORE_SHARE;

/// Bytes in use, and the most there may be.
#[derive(Debug, Clone)]
pub(super) struct StoreBudget {
    used: u64,
    max: u64,
}

impl StoreBudget {
    pub(super) fn new(max: u64) -> Self {
        Self { used: 0, max }
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// By how much a tenant may grow that holds so much: it may hold an eighth of what is free
    /// ([`STORE_SHARE`]). So the store is never full for a tenant that holds little.
    pub(super) fn room(&self, held: u64) -> u64 {
        let share = self.max.saturating_sub(self.used) / STORE_SHARE;
        share.saturating_sub(held)
    }

    /// Counts that a tenant holds `after` bytes in place of `before`.
    pub(super) fn replace(&mut self, before: u64, after: u64) {
        self.used = self.used - before + after;
    }
}
