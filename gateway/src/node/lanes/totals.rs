//! The lanes taken together, for metrics and the admin API.

use router_core::lane::LaneStatus;

/// Lanes taken together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LaneTotals {
    /// Published and not acknowledged.
    pub unacked_bytes: usize,
    /// Not yet published.
    pub waiting_bytes: usize,
    /// Messages published again, those of lanes that ended included.
    pub resends: u64,
    /// Times that a lane failed, at its end too.
    pub resets: u64,
}

impl LaneTotals {
    pub(super) fn add(mut self, status: &LaneStatus) -> Self {
        self.unacked_bytes += status.unacked_bytes;
        self.waiting_bytes += status.waiting_bytes;
        self.resends += status.resends;
        self.resets += status.generation - 1;
        self
    }
}
