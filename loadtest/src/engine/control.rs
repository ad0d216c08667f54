//! The clock and the phases of a run, and what threads report to each other.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A time that does not come.
const NEVER: u64 = u64::MAX;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunPhase {
    /// Sockets are opened.
    Setup,
    /// Traffic runs and is not counted.
    WarmUp,
    /// What is due now is counted.
    Measure,
    /// Nothing new is sent; what is under way arrives.
    Drain,
    /// Sockets are closed.
    Close,
}

/// The clock and the phases. Times are nanoseconds since it was made.
#[derive(Debug)]
pub struct RunControl {
    epoch: Instant,
    warm_up_ns: u64,
    go: AtomicU64,
    until: AtomicU64,
    drain_to: AtomicU64,
    stopped: AtomicBool,
    ready: AtomicUsize,
    failure: Mutex<Option<String>>,
    trouble: Mutex<Option<String>>,
}

impl RunControl {
    /// A run that is being set up.
    pub fn new(warm_up: Duration) -> Self {
        Self {
            epoch: Instant::now(),
            warm_up_ns: warm_up.as_nanos() as u64,
            go: AtomicU64::new(NEVER),
            until: AtomicU64::new(NEVER),
            drain_to: AtomicU64::new(NEVER),
            stopped: AtomicBool::new(false),
            ready: AtomicUsize::new(0),
            failure: Mutex::new(None),
            trouble: Mutex::new(None),
        }
    }

    /// Now.
    pub fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Begins the warm-up at once; then comes the measurement, then the drain.
    pub(crate) fn go(&self, duration: Duration, drain: Duration) {
        let now = self.now();
        let until = now + self.warm_up_ns + duration.as_nanos() as u64;
        let drain_to = until + drain.as_nanos() as u64;
        self.drain_to.store(drain_to, Ordering::Release);
        self.until.store(until, Ordering::Release);
        self.go.store(now, Ordering::Release);
    }

    /// Ends the measurement now, or the setup; the drain takes no longer than `drain`.
    pub fn stop(&self, drain: Duration) {
        let now = self.now();
        self.stopped.store(true, Ordering::Release);
        let end = now + drain.as_nanos() as u64;
        self.drain_to.fetch_min(end, Ordering::AcqRel);
        self.until.fetch_min(now, Ordering::AcqRel);
    }

    /// Whether [`stop`](Self::stop) was called.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// When the warm-up began; [`u64::MAX`] before.
    pub fn began(&self) -> u64 {
        self.go.load(Ordering::Acquire)
    }

    /// From when to when is measured.
    pub fn window(&self) -> (u64, u64) {
        let from = self.began().saturating_add(self.warm_up_ns);
        (from, self.until.load(Ordering::Acquire))
    }

    /// The phase at a time, but for [`RunPhase::Close`], into which a thread goes by itself.
    pub fn phase(&self, now: u64) -> RunPhase {
        let (from, until) = self.window();
        if self.began() == NEVER {
            return if self.is_stopped() {
                RunPhase::Close
            } else {
                RunPhase::Setup
            };
        }
        match now {
            _ if now >= self.drain_to.load(Ordering::Acquire) => RunPhase::Close,
            _ if now >= until => RunPhase::Drain,
            _ if now >= from => RunPhase::Measure,
            _ => RunPhase::WarmUp,
        }
    }

    /// The next time after `now` at which the phase changes.
    pub(crate) fn next_change(&self, now: u64) -> u64 {
        let (from, until) = self.window();
        let drain_to = self.drain_to.load(Ordering::Acquire);
        let times = [from, until, drain_to];
        times
            .into_iter()
            .filter(|at| *at > now)
            .min()
            .unwrap_or(NEVER)
    }

    /// Sockets that are ready, of all threads.
    pub fn ready(&self) -> usize {
        self.ready.load(Ordering::Relaxed)
    }

    /// One socket more is ready.
    pub(crate) fn add_ready(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    /// One socket less is ready.
    pub(crate) fn remove_ready(&self) {
        self.ready.fetch_sub(1, Ordering::Relaxed);
    }

    /// Ends the run with a reason; the first one counts.
    pub fn fail(&self, why: String) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(why);
        drop(failure);
        self.stop(Duration::ZERO);
    }

    /// Takes note why a socket could not be opened.
    pub(crate) fn note_trouble(&self, why: &str) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = Some(why.to_owned());
    }

    /// Why the last socket that could not be opened was not.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone()
    }

    /// Why the run ended, if it failed.
    pub fn failure(&self) -> Option<String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other() {
        let control = RunControl::new(Duration::from_secs(10));
        assert_eq!(control.phase(control.now()), RunPhase::Setup);
        control.go(Duration::from_secs(20), Duration::from_secs(5));
        let go = control.began();
        let at = |seconds: u64| control.phase(go + seconds * 1_000_000_000);
        assert_eq!(
            [at(0), at(9), at(10), at(29), at(30), at(34), at(35)],
            [
                RunPhase::WarmUp,
                RunPhase::WarmUp,
                RunPhase::Measure,
                RunPhase::Measure,
                RunPhase::Drain,
                RunPhase::Drain,
                RunPhase::Close
            ]
        );
        assert_eq!(control.next_change(go), go + 10_000_000_000);
    }

    #[test]
    fn stopped_early_it_still_drains() {
        let control = RunControl::new(Duration::ZERO);
        control.go(Duration::from_secs(20), Duration::from_secs(5));
        control.stop(Duration::from_secs(2));
        assert_eq!(control.phase(control.now()), RunPhase::Drain);
        let later = control.now() + 2_000_000_000;
        assert_eq!(control.phase(later), RunPhase::Close);
    }

    #[test]
    fn stopped_before_it_began_it_closes() {
        let control = RunControl::new(Duration::ZERO);
        control.fail("no such host".to_owned());
        control.fail("and so on".to_owned());
        assert_eq!(control.phase(control.now()), RunPhase::Close);
        assert_eq!(control.failure().as_deref(), Some("no such host"));
    }
}
