//! The steps back of the system clock. The times that are told on one connection do not go back: a
//! connection from before a step is told the latest time before it, until the clock is again where it
//! was.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use router_core::{ConnKey, Millis};

use super::lock::lock;

/// Steps back that are remembered; the oldest goes first.
const STEPS_MAX: usize = 16;

/// The steps back that still count.
#[derive(Debug, Default)]
pub(super) struct ClockSteps {
    /// The latest time that some connection was told; 0 = nothing counts.
    highest_ms: AtomicU64,
    steps: Mutex<Vec<StepBack>>,
}

/// Connections of lower keys were told this time.
#[derive(Debug)]
struct StepBack {
    keys_below: u64,
    told_ms: Millis,
}

impl ClockSteps {
    /// The clock was set back. Connections of keys from `next_key` on know nothing of it.
    pub fn step_back(&self, next_key: u64, told_ms: Millis, unix_ms: Millis) {
        let mut steps = lock(&self.steps);
        steps.retain(|step| step.told_ms > unix_ms);
        if steps.len() >= STEPS_MAX {
            steps.remove(0);
        }
        steps.push(StepBack {
            keys_below: next_key,
            told_ms,
        });
        let highest_ms = steps.iter().map(|step| step.told_ms).max();
        self.highest_ms.store(highest_ms.unwrap_or(0), Relaxed);
    }

    /// The earliest time that a connection may be told; 0 = any.
    pub fn least_ms(&self, conn: ConnKey, unix_ms: Millis) -> Millis {
        if unix_ms >= self.highest_ms.load(Relaxed) {
            return 0;
        }
        let steps = lock(&self.steps);
        let told = steps.iter().filter(|step| conn.0 < step.keys_below);
        told.map(|step| step.told_ms).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_from_before_the_step_are_told_the_later_time() {
        let clock = ClockSteps::default();
        let least_ms = |conn, unix_ms| clock.least_ms(ConnKey(conn), unix_ms);
        assert_eq!(least_ms(1, 5), 0, "there was no step");
        clock.step_back(7, 1_763_702_200_001, 1_763_695_000_000);
        assert_eq!(least_ms(6, 1_763_695_000_000), 1_763_702_200_001);
        assert_eq!(least_ms(7, 1_763_695_000_000), 0);
        assert_eq!(
            least_ms(6, 1_763_702_200_001),
            0,
            "the clock is there again"
        );
        clock.step_back(9, 1_763_695_500_000, 1_763_690_000_000);
        let first = least_ms(6, 1_763_690_000_000);
        assert_eq!(first, 1_763_702_200_001, "the first step counts on");
        assert_eq!(least_ms(8, 1_763_690_000_000), 1_763_695_500_000);
    }
}
