//! Failed credentials, counted by where they came from.
//!
//! Ten failures a minute of one (source, claimed user), 600 of one source: then credentials from
//! there are refused without a look. Counting by user too keeps one stale plugin from locking out
//! its whole office. Both tables forget their oldest entries beyond 65,536.

use std::collections::{BTreeMap, VecDeque};

use protocol::TenantId;
use protocol::limits::{
    AUTH_FAILURE_ENTRIES_MAX, AUTH_FAILURES_PER_MINUTE, AUTH_FAILURES_PER_SOURCE,
};
use smol_str::SmolStr;

use crate::env::Millis;

const WINDOW_MS: Millis = 60_000;

/// One try to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where it comes from: an IPv4 address, or the /64 of an IPv6 one.
    pub source: SmolStr,
    /// Whom it claims to be.
    pub claimed: Option<TenantId>,
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

    fn check(&self, key: &K, now_ms: Millis) -> Result<(), Millis> {
        match self.entries.get(key) {
            Some(failures) if failures.count >= self.max => {
                let ends_ms = failures.since_ms + WINDOW_MS;
                if now_ms < ends_ms {
                    Err(ends_ms - now_ms)
                } else {
                    Ok(())
                }
            }
            Some(_) | None => Ok(()),
        }
    }

    fn fail(&mut self, key: K, now_ms: Millis) {
        if !self.entries.contains_key(&key) {
            if self.entries.len() >= AUTH_FAILURE_ENTRIES_MAX
                && let Some(oldest) = self.oldest.pop_front()
            {
                self.entries.remove(&oldest);
            }
            self.oldest.push_back(key.clone());
        }
        let fresh = Failures {
            count: 0,
            since_ms: now_ms,
        };
        let failures = self.entries.entry(key).or_insert(fresh);
        if now_ms >= failures.since_ms + WINDOW_MS {
            *failures = Failures {
                count: 0,
                since_ms: now_ms,
            };
        }
        failures.count += 1;
    }
}

/// The failures of a node.
#[derive(Debug)]
pub struct Throttle {
    users: Table<(SmolStr, Option<TenantId>)>,
    sources: Table<SmolStr>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            users: Table::new(AUTH_FAILURES_PER_MINUTE),
            sources: Table::new(AUTH_FAILURES_PER_SOURCE),
        }
    }
}

impl Throttle {
    /// Whether an attempt may be looked at; else after how many milliseconds.
    pub fn check(&self, attempt: &Attempt, now_ms: Millis) -> Result<(), Millis> {
        self.sources.check(&attempt.source, now_ms)?;
        self.users
            .check(&(attempt.source.clone(), attempt.claimed.clone()), now_ms)
    }

    /// Counts a failure.
    pub fn fail(&mut self, attempt: Attempt, now_ms: Millis) {
        self.sources.fail(attempt.source.clone(), now_ms);
        self.users.fail((attempt.source, attempt.claimed), now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(source: &str, user: &str) -> Attempt {
        Attempt {
            source: source.into(),
            claimed: TenantId::parse(user).ok(),
        }
    }

    #[test]
    fn a_stale_plugin_does_not_lock_out_its_office() {
        let mut throttle = Throttle::default();
        for _ in 0..10 {
            assert_eq!(throttle.check(&attempt("10.0.0.1", "alice"), 5), Ok(()));
            throttle.fail(attempt("10.0.0.1", "alice"), 5);
        }
        assert_eq!(
            throttle.check(&attempt("10.0.0.1", "alice"), 5),
            Err(60_000)
        );
        assert_eq!(throttle.check(&attempt("10.0.0.1", "bob"), 5), Ok(()));
        assert_eq!(throttle.check(&attempt("10.0.0.2", "alice"), 5), Ok(()));
        assert_eq!(
            throttle.check(&attempt("10.0.0.1", "alice"), 60_005),
            Ok(())
        );
    }

    #[test]
    fn a_source_that_tries_many_users_is_stopped() {
        let mut throttle = Throttle::default();
        for i in 0..600 {
            let attempt = attempt("10.0.0.1", &format!("user{i}"));
            assert_eq!(throttle.check(&attempt, 5), Ok(()));
            throttle.fail(attempt, 5);
        }
        assert!(throttle.check(&attempt("10.0.0.1", "new"), 5).is_err());
    }

    #[test]
    fn the_tables_stay_bounded() {
        let mut throttle = Throttle::default();
        for i in 0..AUTH_FAILURE_ENTRIES_MAX + 100 {
            throttle.fail(attempt(&format!("s{i}"), "alice"), 5);
        }
        assert_eq!(throttle.users.entries.len(), AUTH_FAILURE_ENTRIES_MAX);
        assert_eq!(throttle.sources.oldest.len(), AUTH_FAILURE_ENTRIES_MAX);
    }
}
