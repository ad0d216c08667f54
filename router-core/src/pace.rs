//! How fast connections are asked to move to other nodes.

use crate::env::Millis;

/// Connections that one node accepts in a second beside its own traffic, with TLS and credentials, on a core
/// that is half busy. Half of them are left to clients that come for other reasons.
const ACCEPTS_PER_SECOND: u64 = 1000;

/// A pace: a number of connections at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovePace {
    begun_ms: Millis,
    count: u64,
    over_ms: Millis,
}

impl MovePace {
    /// `count` connections within `window_ms`, or as slowly as `others` nodes can take them.
    pub fn over(begun_ms: Millis, count: usize, window_ms: Millis, others: usize) -> Self {
        let (count, others) = (count as u64, others.max(1) as u64);
        let least_ms = count * 1000 / (others * ACCEPTS_PER_SECOND / 2);
        Self {
            begun_ms,
            count,
            over_ms: window_ms.max(least_ms),
        }
    }

    /// How many are due by now, from the first at once to the last before the end.
    pub fn due(&self, now_ms: Millis) -> u64 {
        let elapsed_ms = now_ms.saturating_sub(self.begun_ms);
        if elapsed_ms >= self.over_ms {
            return self.count;
        }
        let due = u128::from(elapsed_ms) * u128::from(self.count) / u128::from(self.over_ms);
        // Less than `count`, which is one.
        (due as u64 + 1).min(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_due_at_equal_distances() {
        let pace = MovePace::over(1000, 100, 10_000, 3);
        assert_eq!(pace.due(0), 1, "a clock that is behind");
        for (now_ms, due) in [(1000, 1), (1099, 1), (1100, 2), (6000, 51), (10_999, 100)] {
            assert_eq!(pace.due(now_ms), due, "{now_ms}");
        }
        assert_eq!(pace.due(Millis::MAX), 100);
    }

    #[test]
    fn nobody_is_due_if_there_is_nobody() {
        assert_eq!(MovePace::over(0, 0, 10_000, 1).due(20_000), 0);
        assert_eq!(MovePace::over(0, 0, 0, 1).due(0), 0);
        assert_eq!(MovePace::over(0, 0, 10_000, 1).due(1), 0);
    }

    #[test]
    fn without_a_window_all_are_due_as_fast_as_others_take_them() {
        let pace = MovePace::over(0, 2000, 0, 2);
        assert_eq!((pace.over_ms, pace.due(0)), (2000, 1));
        assert_eq!(MovePace::over(0, 2000, 0, 0).over_ms, 4000);
    }
}
