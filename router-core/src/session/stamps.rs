//! The times that a peer was told: they never go back.

use crate::env::Millis;

/// The last time that a session wrote into a frame.
#[derive(Debug, Default)]
pub(super) struct TimeStamps(Millis);

impl TimeStamps {
    /// The time to write now: the wall clock's, unless that was set back.
    pub fn stamp(&mut self, unix_ms: Millis) -> Millis {
        self.0 = self.0.max(unix_ms);
        self.0
    }
}
