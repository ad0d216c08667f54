//! How many connections were asked to move, and what came of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::MoveOutcome;

/// How many connections were asked to move, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct MoveCounts([AtomicU64; 3]);

impl MoveCounts {
    pub(super) fn count(&self, outcome: MoveOutcome) {
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many had this outcome since the process began.
    pub(crate) fn of(&self, outcome: MoveOutcome) -> u64 {
        self.0[outcome as usize].load(Ordering::Relaxed)
    }
}
