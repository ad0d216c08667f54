//! Whether the node drains, and which answers a drain waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How far the node is with going away.
#[derive(Debug, Default)]
pub(super) struct DrainState {
    draining: AtomicBool,
    /// Requests of the HTTP API whose answer is not written yet.
    answering: Arc<AtomicUsize>,
}

/// A request whose answer is not written yet, until this is dropped.
#[derive(Debug)]
pub(crate) struct PendingAnswer(Arc<AtomicUsize>);

impl DrainState {
    pub(super) fn begin(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Counts a request whose answer a drain waits for.
    pub(super) fn answering(&self) -> PendingAnswer {
        self.answering.fetch_add(1, Ordering::AcqRel);
        PendingAnswer(Arc::clone(&self.answering))
    }

    /// Whether every answer is written.
    pub(super) fn has_answered_all(&self) -> bool {
        self.answering.load(Ordering::Acquire) == 0
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
