//! The node's two clocks: one for durations, which nobody can set, and the system's time of day.
//!
//! `now_ms` runs on from the start whatever happens to the system clock; all deadlines and rates are in
//! it. `unix_ms` follows the system clock, which the ticker reads every 50 ms; it is what peers, the
//! store and tokens are told and compared with.
//!
//! A correction backwards of less than a second is waited out: `unix_ms` stands still for as long. A
//! larger one is a step: times that are told on connections from before it stand still
//! ([`clock_steps`](super::clock_steps)), those on newer ones are right at once.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use router_core::Millis;

/// A correction of at least so much is a step, milliseconds: NTP corrects less by running faster or
/// slower.
const STEP_MS: i64 = 1000;
/// A difference up to this is rounding, milliseconds.
const EXACT_MS: i64 = 2;
/// Longest time between the two readings that are compared; after a longer one they are read again.
const READING: Duration = Duration::from_millis(1);
/// Readings that are tried.
const READINGS: u32 = 3;

/// Both clocks.
#[derive(Debug)]
pub(super) struct NodeClock {
    started_ms: Millis,
    start: Instant,
    /// The system clock less `now_ms`, milliseconds, when it was read last.
    offset_ms: AtomicI64,
    /// `unix_ms` is not below this: it was told already.
    least_ms: AtomicU64,
}

/// The system clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockStep {
    /// By how much, milliseconds; below zero: back.
    pub by_ms: i64,
    /// The latest time that was told before.
    pub told_ms: Millis,
}

impl NodeClock {
    pub(super) fn start() -> Self {
        Self {
            started_ms: system_ms(),
            start: Instant::now(),
            offset_ms: AtomicI64::new(0),
            least_ms: AtomicU64::new(0),
        }
    }

    /// For deadlines: milliseconds that never go back. At the start it is the system's time.
    pub(super) fn now_ms(&self) -> Millis {
        self.at_ms(Instant::now())
    }

    /// What [`now_ms`](Self::now_ms) was at that moment.
    pub(super) fn at_ms(&self, at: Instant) -> Millis {
        self.started_ms + millis(at.duration_since(self.start))
    }

    /// The time of day at `now_ms`, Unix milliseconds.
    pub(super) fn unix_ms(&self, now_ms: Millis) -> Millis {
        let unix_ms = now_ms.saturating_add_signed(self.offset_ms.load(Relaxed));
        unix_ms.max(self.least_ms.load(Relaxed))
    }

    pub(super) fn uptime_ms(&self) -> Millis {
        millis(self.start.elapsed())
    }

    /// Reads the system clock. Returns a step since the last reading.
    pub(super) fn read(&self) -> Option<ClockStep> {
        for _ in 0..READINGS {
            let (begun, now_ms) = (Instant::now(), self.now_ms());
            let system_ms = system_ms();
            // A pause in between would look like a step.
            if begun.elapsed() <= READING {
                return self.follow(now_ms, system_ms);
            }
        }
        None
    }

    fn follow(&self, now_ms: Millis, system_ms: Millis) -> Option<ClockStep> {
        let told_ms = self.unix_ms(now_ms);
        let old_ms = self.offset_ms.load(Relaxed);
        let new_ms = system_ms.cast_signed().wrapping_sub(now_ms.cast_signed());
        let by_ms = new_ms - old_ms;
        if by_ms.abs() <= EXACT_MS {
            return None;
        }
        let is_step = by_ms.abs() >= STEP_MS;
        let least_ms = if is_step { 0 } else { told_ms };
        self.least_ms.store(least_ms, Relaxed);
        self.offset_ms.store(new_ms, Relaxed);
        is_step.then_some(ClockStep { by_ms, told_ms })
    }
}

fn system_ms() -> Millis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    millis(now.unwrap_or_default())
}

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS_MS: u64 = 2 * 60 * 60 * 1000;

    #[test]
    fn it_follows_a_step_in_both_directions() {
        let clock = NodeClock::start();
        let now_ms = clock.now_ms();
        let forward = clock.follow(now_ms, now_ms + HOURS_MS).unwrap();
        assert_eq!(forward.by_ms, HOURS_MS.cast_signed());
        assert_eq!(clock.unix_ms(now_ms), now_ms + HOURS_MS);
        let back = clock.follow(now_ms, now_ms).unwrap();
        assert_eq!(back.by_ms, -HOURS_MS.cast_signed());
        assert_eq!(back.told_ms, now_ms + HOURS_MS);
        assert_eq!(clock.unix_ms(now_ms), now_ms);
    }

    #[test]
    fn a_small_correction_back_is_waited_out() {
        let clock = NodeClock::start();
        let now_ms = clock.now_ms();
        assert_eq!(clock.follow(now_ms, now_ms - 300), None);
        let told = [0, 100, 300, 400].map(|ms| clock.unix_ms(now_ms + ms) - now_ms);
        assert_eq!(told, [0, 0, 0, 100]);
        assert_eq!(clock.follow(now_ms, now_ms - 298), None, "rounding");
        assert_eq!(clock.unix_ms(now_ms + 400) - now_ms, 100);
    }

    #[test]
    fn a_clock_that_nobody_sets_makes_no_step() {
        let clock = NodeClock::start();
        assert_eq!(clock.read(), None);
        let unix_ms = clock.unix_ms(clock.now_ms());
        assert!(unix_ms.abs_diff(system_ms()) < 1000);
    }
}
