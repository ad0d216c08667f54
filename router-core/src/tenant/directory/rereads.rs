//! When the directory may be read again: a read that changes nothing must not be repeated at once.
//!
//! A read is made at once, and one that follows it too: an event may have been lost. Each further one
//! within [`QUIET_MS`] waits: 100 ms, 200 ms, and so on up to 5 s, give or take a quarter, so that the
//! nodes do not read together. While a read waits the replica serves on, and steps that follow it take
//! effect.

use protocol::limits::{REREAD_MAX_MS, REREAD_MIN_MS};

use crate::env::Millis;

/// How long no read must have been wanted so that the next one is made at once, milliseconds.
const QUIET_MS: Millis = 2 * REREAD_MAX_MS;

/// The reads so far, and one that waits.
#[derive(Debug, Default)]
pub(super) struct RereadPacing {
    /// How many followed each other.
    count: u32,
    /// Before this no read is made.
    allowed_ms: Millis,
    /// When one is made that waits.
    due_ms: Option<Millis>,
}

/// Whether a read is made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadTiming {
    Now,
    /// In so many milliseconds.
    Deferred(Millis),
    /// One waits already.
    Waits,
}

impl RereadPacing {
    /// A read is wanted. `is_first`: somebody waits for it, so that it is made in any case. `spread`:
    /// in [0, 1).
    pub fn request(&mut self, now_ms: Millis, is_first: bool, spread: f64) -> ReadTiming {
        if is_first || now_ms >= self.allowed_ms {
            self.begin(now_ms, spread);
            return ReadTiming::Now;
        }
        if self.due_ms.is_some() {
            return ReadTiming::Waits;
        }
        self.due_ms = Some(self.allowed_ms);
        ReadTiming::Deferred(self.allowed_ms - now_ms)
    }

    /// Whether the read that waits is due.
    pub fn take_due(&mut self, now_ms: Millis) -> bool {
        self.due_ms.take_if(|due_ms| now_ms >= *due_ms).is_some()
    }

    pub fn next_wakeup(&self) -> Millis {
        self.due_ms.unwrap_or(Millis::MAX)
    }

    /// Notes that a read is made now.
    fn begin(&mut self, now_ms: Millis, spread: f64) {
        self.due_ms = None;
        if now_ms >= self.allowed_ms.saturating_add(QUIET_MS) {
            self.count = 0;
        }
        let longest = match self.count.checked_sub(1) {
            None => 0,
            Some(doublings) => REREAD_MIN_MS.saturating_mul(1 << doublings.min(16)),
        };
        let wait_ms = longest.min(REREAD_MAX_MS) as f64 * (0.75 + spread / 2.0);
        self.count += 1;
        self.allowed_ms = now_ms + wait_ms as Millis;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_read_waits_longer_and_a_quiet_time_ends_that() {
        let mut rereads = RereadPacing::default();
        let mut now_ms = 1_000_000;
        let mut waits = Vec::new();
        for _ in 0..9 {
            rereads.begin(now_ms, 0.5);
            waits.push(rereads.allowed_ms - now_ms);
            now_ms = rereads.allowed_ms;
        }
        assert_eq!(
            waits,
            [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000],
            "milliseconds"
        );
        rereads.begin(now_ms + QUIET_MS, 0.5);
        assert_eq!(rereads.allowed_ms, now_ms + QUIET_MS, "as at the start");
    }
}
