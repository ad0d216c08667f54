//! The node's clock: Unix milliseconds that never go back.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The wall clock at the start, carried on by the monotonic one: a step of the wall clock moves no
/// deadline.
#[derive(Debug)]
pub(super) struct Clock {
    unix_ms: u64,
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            unix_ms: millis(unix),
            start: Instant::now(),
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.unix_ms + self.uptime_ms()
    }

    pub(super) fn uptime_ms(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
