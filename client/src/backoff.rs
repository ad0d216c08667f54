//! How long to wait before trying again. Pure: randomness is an argument.

use std::time::Duration;

use protocol::CloseCode;

use crate::error::ClientError;

/// The first wait is less than this.
const FIRST: Duration = Duration::from_secs(1);
/// No wait by backoff is longer than this.
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that lived this long was a good one: the waits begin anew.
const GOOD: Duration = Duration::from_secs(60);
/// After a restart of the node: short, as another node is there, but spread, as everybody comes.
const RESTART: Duration = Duration::from_secs(5);

/// How often a request is repeated that may succeed later.
pub(crate) const RETRIES: usize = 3;

/// Full jitter: a random part of a span that doubles from 1 s to 30 s.
#[derive(Debug, Default)]
pub(crate) struct RetryBackoff {
    failures: u32,
}

impl RetryBackoff {
    /// The wait after one more failure. `jitter` is in `[0, 1)`.
    pub fn next(&mut self, jitter: f64) -> Duration {
        let span = FIRST.saturating_mul(1 << self.failures.min(5)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        span.mul_f64(jitter)
    }

    /// The wait before connecting anew after a connection that lived for `up` ended with `error`.
    pub fn after_link(&mut self, error: &ClientError, up: Duration, jitter: f64) -> Duration {
        if up >= GOOD {
            self.failures = 0;
        }
        self.after(error, jitter)
    }

    /// The wait after a failure: as long as the gateway says, and up to a half more; else by jitter.
    pub fn after(&mut self, error: &ClientError, jitter: f64) -> Duration {
        let by_backoff = self.next(jitter);
        if let Some(told) = error.retry_after() {
            return told + told.mul_f64(jitter / 2.0);
        }
        match error {
            ClientError::Closed { code, .. } if *code == CloseCode::Restart.code() => {
                RESTART.mul_f64(jitter)
            }
            ClientError::Closed { .. }
            | ClientError::Url(_)
            | ClientError::Unreachable(_)
            | ClientError::Certificate(_)
            | ClientError::NoWebSocket(_)
            | ClientError::Proxy(_)
            | ClientError::Upgrade { .. }
            | ClientError::Refused(_)
            | ClientError::TooLarge { .. }
            | ClientError::Lost
            | ClientError::Timeout
            | ClientError::Protocol(_)
            | ClientError::Stopped => by_backoff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORST: f64 = 1.0;

    #[test]
    fn waits_double_to_their_cap() {
        let mut backoff = RetryBackoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.next(WORST).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn jitter_is_full() {
        let mut backoff = RetryBackoff::default();
        assert_eq!(backoff.next(0.0), Duration::ZERO);
        assert_eq!(backoff.next(0.5), Duration::from_secs(1));
    }

    #[test]
    fn a_minute_up_begins_anew() {
        let mut backoff = RetryBackoff { failures: 6 };
        let short = Duration::from_secs(59);
        assert_eq!(
            backoff.after_link(&ClientError::Lost, short, WORST),
            LONGEST
        );
        assert_eq!(backoff.after_link(&ClientError::Lost, GOOD, WORST), FIRST);
    }

    #[test]
    fn a_restart_spreads_over_five_seconds() {
        let error = ClientError::Closed {
            code: 1012,
            reason: String::new(),
            retry_after: None,
        };
        let mut backoff = RetryBackoff { failures: 6 };
        assert_eq!(backoff.after(&error, WORST), RESTART);
        assert_eq!(backoff.after(&error, 0.0), Duration::ZERO);
    }

    #[test]
    fn what_the_gateway_says_goes_before() {
        let error = ClientError::Closed {
            code: 4429,
            reason: String::new(),
            retry_after: Some(Duration::from_secs(40)),
        };
        let mut backoff = RetryBackoff::default();
        assert_eq!(backoff.after(&error, 0.0).as_secs(), 40);
        assert_eq!(backoff.after(&error, WORST).as_secs(), 60);
    }
}
