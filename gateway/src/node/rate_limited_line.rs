//! A line of the log that may be due often, and is written at most every ten seconds.

use std::sync::atomic::{AtomicU64, Ordering};

use router_core::Millis;

/// Between two lines, milliseconds.
const BETWEEN_MS: Millis = 10_000;

/// When the line was written last, milliseconds; 0 = never.
#[derive(Debug, Default)]
pub(super) struct RateLimitedLine(AtomicU64);

impl RateLimitedLine {
    /// Whether to write it now.
    pub fn is_due(&self, now_ms: Millis) -> bool {
        let last_ms = self.0.load(Ordering::Relaxed);
        if last_ms != 0 && now_ms < last_ms + BETWEEN_MS {
            return false;
        }
        // Of two at the same moment one writes it.
        let swapped =
            self.0
                .compare_exchange(last_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        swapped.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds() {
        let line = RateLimitedLine::default();
        let due = [5, 6, 10_004, 10_005, 20_000].map(|now_ms| line.is_due(now_ms));
        assert_eq!(due, [true, false, false, true, false]);
    }
}
