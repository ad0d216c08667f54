//! Time: waiting for a condition, letting time pass, percentiles.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks until there is something. Panics: there is nothing within `within`.
pub fn until<T>(within: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < within, "after {within:?}: not yet {what}");
        let_pass(LOOK_AGAIN);
    }
}

/// Lets `time` pass: a case is about what happens in a span of time.
pub fn let_pass(time: Duration) {
    // Nobody sends: the timeout is what is waited for.
    let (_sender, nothing) = channel::<()>();
    let _ = nothing.recv_timeout(time);
}

/// The value that `part` of the durations do not exceed; zero if there are none.
pub fn percentile(times: &[Duration], part: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    let rank = (part * sorted.len() as f64).ceil() as usize;
    let index = rank.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or_default()
}
