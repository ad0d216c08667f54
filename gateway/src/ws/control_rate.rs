//! How fast a peer may send control frames.

use std::time::Duration;

use tokio::time::Instant;

/// How many times its rate of control frames a proven peer may exceed before it is closed.
const CONTROL_FLOOD: u32 = 10;

/// Counts control frames by the second.
pub(super) struct ControlRate {
    per_second: u32,
    since: Instant,
    count: u32,
}

impl ControlRate {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            since: Instant::now(),
            count: 0,
        }
    }

    pub(super) fn admit(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            self.since = Instant::now();
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count <= self.per_second
    }

    /// Whether there were far too many in this second.
    pub(super) fn is_flood(&self) -> bool {
        self.count > self.per_second.saturating_mul(CONTROL_FLOOD)
    }
}
