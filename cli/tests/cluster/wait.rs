//! Time: waiting for a condition with a deadline, doing something for a while, percentiles.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::time::{interval, timeout};

/// Nothing that a case waits for takes so long unless it hangs.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Looks again and again until there is something. Panics: there is nothing within `within`.
pub async fn until_within<T>(
    within: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let looks = async {
        let mut ticks = interval(LOOK_AGAIN);
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    timeout(within, looks)
        .await
        .unwrap_or_else(|_| panic!("after {within:?} it is still not so that {what}"))
}

/// As [`until_within`], within [`DEADLINE`].
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, look).await
}

/// Lets the world go on until `at`: for cases that are about a time in which nothing may happen.
pub async fn let_pass_until(at: Instant) {
    let forever = std::future::pending::<()>();
    // The end of the time is what is waited for.
    let _ = timeout(at.saturating_duration_since(Instant::now()), forever).await;
}

/// Durations of the same thing.
#[derive(Debug, Default, Clone)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value that this part of them does not exceed; zero if there is none.
    pub fn percentile(&self, part: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let rank = (part * sorted.len() as f64).ceil() as usize;
        let index = rank.clamp(1, sorted.len().max(1)) - 1;
        sorted.get(index).copied().unwrap_or_default()
    }

    pub fn max(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_millis();
        let (half, most) = (self.percentile(0.5), self.percentile(0.99));
        let (half, most, max) = (ms(half), ms(most), ms(self.max()));
        write!(f, "p50 {half} p99 {most} max {max} ms of {}", self.len())
    }
}
