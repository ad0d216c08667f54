//! Failed credentials, counted by where they came from.
//!
//! After ten failures a minute of one (source, claimed user), or 600 of one source, further
//! failures from there are answered with 429. Only failures are asked about: a credential that
//! verifies passes whatever failed before it, so nobody locks out anybody else. Both tables forget
//! their oldest entries beyond 65,536.

use std::collections::{BTreeMap, VecDeque};

use protocol::TenantId;
use protocol::limits::{
    AUTH_FAILURE_ENTRIES_MAX, AUTH_FAILURES_PER_MINUTE, AUTH_FAILURES_PER_SOURCE,
};

use super::source::Source;
use crate::env::Millis;

const WINDOW_MS: Millis = 60_000;

/// One credential that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where it comes from.
    pub source: Source,
    /// Whom it claims to be.
    pub claimed: Option<TenantId>,
}

/// What becomes of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureTally {
    /// It is answered with its own reason.
    Counted,
    /// There were too many from there: it is answered with 429.
    Throttled {
        /// When failures from there are counted anew.
        retry_after_ms: Millis,
        /// How many there were within the minute, this one included.
        failures: u32,
    },
}

#[derive(Debug)]
struct Failures {
    count: u32,
    since_ms: Millis,
}

#[derive(Debug)]
struct Table<K> {
    max: u32,
    entries: BTreeMap<K, Failures>,
    oldest: VecDeque<K>,
}

impl<K: Ord + Clone> Table<K> {
    fn new(max: u32) -> Self {
        Self {
            max,
            entries: BTreeMap::new(),
            oldest: VecDeque::new(),
        }
    }

    /// Counts a failure. The window begins with its first failure; later ones do not prolong it.
    fn fail(&mut self, key: &K, now_ms: Millis) -> FailureTally {
        let failures = self.failures(key, now_ms);
        failures.count = failures.count.saturating_add(1);
        let (failures, ends_ms) = (failures.count, failures.since_ms + WINDOW_MS);
        match failures > self.max {
            true => FailureTally::Throttled {
                retry_after_ms: ends_ms - now_ms,
                failures,
            },
            false => FailureTally::Counted,
        }
    }

    /// The entry of a key in its present window.
    fn failures(&mut self, key: &K, now_ms: Millis) -> &mut Failures {
        if !self.entries.contains_key(key) {
            if self.entries.len() >= AUTH_FAILURE_ENTRIES_MAX
                && let Some(oldest) = self.oldest.pop_front()
            {
                self.entries.remove(&oldest);
            }
            self.oldest.push_back(key.clone());
        }
        let fresh = || Failures {
            count: 0,
            since_ms: now_ms,
        };
        let failures = self.entries.entry(key.clone()).or_insert_with(fresh);
        // A clock that was set back ends the window too.
        let age_ms = now_ms.checked_sub(failures.since_ms);
        if age_ms.is_none_or(|age_ms| age_ms >= WINDOW_MS) {
            *failures = fresh();
        }
        failures
    }
}

/// The failures of a node.
#[derive(Debug)]
pub struct FailureThrottle {
    users: Table<(Source, Option<TenantId>)>,
    sources: Table<Source>,
}

impl Default for FailureThrottle {
    fn default() -> Self {
        Self {
            users: Table::new(AUTH_FAILURES_PER_MINUTE),
            sources: Table::new(AUTH_FAILURES_PER_SOURCE),
        }
    }
}

impl FailureThrottle {
    /// Counts a failure and says how it is answered.
    ///
    /// A source over its limit gets no further entries, so that one source cannot push out the others.
    pub fn fail(&mut self, attempt: Attempt, now_ms: Millis) -> FailureTally {
        let Attempt { source, claimed } = attempt;
        match self.sources.fail(&source, now_ms) {
            throttled @ FailureTally::Throttled { .. } => throttled,
            FailureTally::Counted => self.users.fail(&(source, claimed), now_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(source: &str, user: &str) -> Attempt {
        Attempt {
            source: Source::of(source.parse().unwrap()),
            claimed: TenantId::parse(user).ok(),
        }
    }

    const THROTTLED_AT_10: FailureTally = FailureTally::Throttled {
        retry_after_ms: 60_000,
        failures: 11,
    };

    #[test]
    fn only_failures_of_the_same_user_and_source_are_throttled() {
        let mut throttle = FailureThrottle::default();
        for _ in 0..10 {
            assert_eq!(
                throttle.fail(attempt("10.0.0.1", "alice"), 5),
                FailureTally::Counted
            );
        }
        assert_eq!(
            throttle.fail(attempt("10.0.0.1", "alice"), 5),
            THROTTLED_AT_10
        );
        for (source, user) in [("10.0.0.1", "bob"), ("10.0.0.2", "alice")] {
            assert_eq!(
                throttle.fail(attempt(source, user), 5),
                FailureTally::Counted
            );
        }
    }

    #[test]
    fn a_window_is_a_minute_from_its_first_failure() {
        let mut throttle = FailureThrottle::default();
        for now_ms in [5, 30_000, 60_004] {
            for _ in 0..20 {
                throttle.fail(attempt("10.0.0.1", "alice"), now_ms);
            }
        }
        let last = throttle.fail(attempt("10.0.0.1", "alice"), 60_004);
        let retry_after_ms = 1;
        assert_eq!(
            last,
            FailureTally::Throttled {
                retry_after_ms,
                failures: 61
            }
        );
        for now_ms in [60_005, 1] {
            let fresh = throttle.fail(attempt("10.0.0.1", "alice"), now_ms);
            assert_eq!(fresh, FailureTally::Counted, "at {now_ms}");
        }
    }

    #[test]
    fn a_source_that_tries_many_users_is_throttled() {
        let mut throttle = FailureThrottle::default();
        for i in 0..600 {
            let attempt = attempt("10.0.0.1", &format!("user{i}"));
            assert_eq!(throttle.fail(attempt, 5), FailureTally::Counted);
        }
        let tally = throttle.fail(attempt("10.0.0.1", "new"), 5);
        assert!(matches!(
            tally,
            FailureTally::Throttled { failures: 601, .. }
        ));
        assert_eq!(
            throttle.users.entries.len(),
            600,
            "no entry beyond the limit"
        );
    }

    #[test]
    fn the_tables_stay_bounded() {
        let mut throttle = FailureThrottle::default();
        for i in 0..AUTH_FAILURE_ENTRIES_MAX + 100 {
            throttle.fail(
                attempt(
                    &format!("10.{}.{}.{}", i >> 16, i >> 8 & 255, i & 255),
                    "alice",
                ),
                5,
            );
        }
        assert_eq!(throttle.users.entries.len(), AUTH_FAILURE_ENTRIES_MAX);
        assert_eq!(throttle.sources.oldest.len(), AUTH_FAILURE_ENTRIES_MAX);
    }
}
