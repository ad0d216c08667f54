//! What is known of the node's being cut off.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use router_core::membership::{IsolationState, IsolationWatch};

/// Whether this node alone is cut off from Redis.
#[derive(Debug)]
pub(in crate::node) struct NodeIsolation {
    /// After which time without any answer it counts as cut off; zero: never.
    pub(super) after: Duration,
    pub(super) watch: Mutex<IsolationWatch>,
    /// The state of the watch, for readers that must not wait.
    state: AtomicU8,
}

impl NodeIsolation {
    pub(in crate::node) fn new(after: Duration) -> Self {
        Self {
            after,
            watch: Mutex::default(),
            state: AtomicU8::new(IsolationState::Staying as u8),
        }
    }

    pub(super) fn state(&self) -> IsolationState {
        match self.state.load(Ordering::Acquire) {
            it if it == IsolationState::CutOff as u8 => IsolationState::CutOff,
            it if it == IsolationState::Overdue as u8 => IsolationState::Overdue,
            _ => IsolationState::Staying,
        }
    }

    /// Returns the state before.
    pub(super) fn replace(&self, state: IsolationState) -> IsolationState {
        let before = self.state();
        self.state.store(state as u8, Ordering::Release);
        before
    }
}
