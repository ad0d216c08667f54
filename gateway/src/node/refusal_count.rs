//! How many refusals a socket got: whoever asks on after so many is closed.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::limits::{REFUSALS_MAX, REFUSALS_WINDOW_MS};
use router_core::Millis;

/// Bits of the count, under those of the time: [`REFUSALS_MAX`] fits, and 500 years do.
const COUNT_BITS: u32 = 20;

/// When the present window began, and the refusals in it: one word, as every socket has one.
#[derive(Debug, Default)]
pub(super) struct RefusalCount(AtomicU64);

impl RefusalCount {
    /// Counts one; says whether they are too many.
    pub(super) fn count(&self, now_ms: Millis) -> bool {
        let counted = |old: u64| {
            let is_over = now_ms.saturating_sub(old >> COUNT_BITS) >= REFUSALS_WINDOW_MS;
            let window = if is_over { now_ms << COUNT_BITS } else { old };
            // Nobody is open for long after the limit, so the count cannot reach the time.
            window + 1
        };
        // Nothing else is read or written by what this says.
        let order = Ordering::Relaxed;
        let old = self.0.fetch_update(order, order, |old| Some(counted(old)));
        let (Ok(old) | Err(old)) = old;
        counted(old) & ((1 << COUNT_BITS) - 1) >= u64::from(REFUSALS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_window_are_too_many() {
        let refusals = RefusalCount::default();
        let many = |count: u32, now_ms| (0..count).any(|_| refusals.count(now_ms));
        assert!(!many(REFUSALS_MAX - 1, 5), "one fewer");
        assert!(
            !many(REFUSALS_MAX - 1, 5 + REFUSALS_WINDOW_MS),
            "a window later"
        );
        assert!(many(1, 4 + 2 * REFUSALS_WINDOW_MS), "the last moment of it");
    }
}
