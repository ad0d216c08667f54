//! Two instances that keep taking a bot from each other are told apart from one that restarts.

use protocol::limits::{FLAP_REFUSAL_MS, FLAP_WINDOW_MS};
use smallvec::SmallVec;

use crate::env::Millis;

/// When a bot went from one instance to another.
#[derive(Debug, Default)]
pub(in crate::tenant) struct TakeoverHistory {
    at_ms: SmallVec<[Millis; 4]>,
    refused_until_ms: Millis,
}

impl TakeoverHistory {
    /// Whether one more takeover within the window is too many; `limit` 0: never. Errors: after
    /// how many milliseconds the newcomer may try again.
    pub fn check(&mut self, now_ms: Millis, limit: u32) -> Result<(), Millis> {
        self.forget(now_ms);
        if limit == 0 {
            return Ok(());
        }
        if now_ms >= self.refused_until_ms && self.at_ms.len() >= limit as usize {
            self.refused_until_ms = now_ms + FLAP_REFUSAL_MS;
            // The count starts anew behind the refusal, so that `retryAfterMs` tells the truth.
            self.at_ms.clear();
        }
        match self.refused_until_ms.checked_sub(now_ms) {
            None | Some(0) => Ok(()),
            Some(retry_ms) => Err(retry_ms),
        }
    }

    /// Counts a takeover.
    pub fn count(&mut self, now_ms: Millis) {
        self.forget(now_ms);
        self.at_ms.push(now_ms);
    }

    fn forget(&mut self, now_ms: Millis) {
        self.at_ms
            .retain(|at_ms| now_ms.saturating_sub(*at_ms) < FLAP_WINDOW_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_takeover_in_a_minute_is_refused_for_half_a_minute() {
        let mut takeovers = TakeoverHistory::default();
        for at_ms in [0, 1000, 2000] {
            assert_eq!(takeovers.check(at_ms, 3), Ok(()));
            takeovers.count(at_ms);
        }
        assert_eq!(takeovers.check(3000, 3), Err(FLAP_REFUSAL_MS));
        assert_eq!(takeovers.check(32_999, 3), Err(1));
        assert_eq!(takeovers.check(62_001, 3), Ok(()));
        assert_eq!(
            TakeoverHistory {
                at_ms: [0, 0, 0, 0].into(),
                ..TakeoverHistory::default()
            }
            .check(1, 0),
            Ok(())
        );
    }
}
