//! What a number from Redis may be at most. A later one is no time: it was made up, or written under
//! a clock that was wrong, and nothing could ever come after it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use router_core::store::directory::counter::{latest_stored_ver, latest_time_ms};

/// Highest key generation that Lua can count up: its numbers are doubles, exact up to 2^53.
const GENERATION_MAX: u64 = 1 << 53;

/// The bounds at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberBounds {
    ver: u64,
    ms: u64,
}

impl NumberBounds {
    /// `now_ms`: the time as Redis has it, Unix milliseconds.
    pub(crate) fn at(now_ms: u64) -> Self {
        Self {
            ver: latest_stored_ver(now_ms),
            ms: latest_time_ms(now_ms),
        }
    }

    /// A number of a tenant's counter.
    pub(crate) fn ver(self, ver: u64) -> Option<u64> {
        (ver <= self.ver).then_some(ver)
    }

    /// A moment, Unix milliseconds.
    pub(crate) fn ms(self, ms: u64) -> Option<u64> {
        (ms <= self.ms).then_some(ms)
    }

    /// A key generation.
    pub(crate) fn generation(generation: u64) -> Option<u64> {
        (generation <= GENERATION_MAX).then_some(generation)
    }
}

/// The time of the Redis that all nodes share, from this machine's clock and the distance between
/// both when they were last compared.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    /// This machine's time less the server's, milliseconds.
    skew_ms: AtomicI64,
}

impl ServerClock {
    /// The time there.
    pub(crate) fn now_ms(&self) -> u64 {
        let now_ms = unix_ms().saturating_sub(self.skew_ms.load(Relaxed));
        u64::try_from(now_ms).unwrap_or_default()
    }

    /// Takes what the server said when it was asked between two moments of this machine. Returns the
    /// distance.
    pub(crate) fn compare(&self, asked_ms: i64, server_ms: i64, answered_ms: i64) -> i64 {
        let skew_ms = asked_ms + (answered_ms - asked_ms) / 2 - server_ms;
        self.skew_ms.store(skew_ms, Relaxed);
        skew_ms
    }
}

/// This machine's time.
pub(crate) fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ahead_is_a_time_and_the_end_of_all_numbers_is_none() {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        let now_ms = 1_763_695_000_000;
        let bounds = NumberBounds::at(now_ms);
        assert!(bounds.ver((now_ms + DAY_MS) * 1000).is_some());
        assert!(bounds.ver((now_ms + 2 * DAY_MS) * 1000).is_some());
        assert!(bounds.ver((now_ms + 2 * DAY_MS) * 1000 + 1).is_none());
        assert!(bounds.ms(now_ms + DAY_MS).is_some());
        assert!(bounds.ms(now_ms + DAY_MS + 1).is_none());
        assert!(NumberBounds::generation(1 << 53).is_some());
        assert!(NumberBounds::generation(u64::MAX).is_none());
    }

    #[test]
    fn the_servers_time_counts_whatever_this_machine_says() {
        let clock = ServerClock::default();
        let now_ms = unix_ms();
        let hours_ms = 2 * 60 * 60 * 1000;
        assert_eq!(
            clock.compare(now_ms, now_ms - hours_ms + 5, now_ms + 10),
            hours_ms
        );
        let there_ms = i64::try_from(clock.now_ms()).unwrap();
        assert!((now_ms - hours_ms..now_ms).contains(&there_ms));
    }
}
