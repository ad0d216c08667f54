//! A rate limit in eight bytes: the generic cell rate algorithm.
//!
//! It keeps the time at which the bucket would be empty again. A request is taken iff that time is
//! at most one burst ahead of now. Source: ITU-T I.371, the virtual scheduling form.

use crate::env::Millis;

/// How much is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, in the long run; 0 = none at all.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

/// One bucket. It starts full: a whole burst may be taken at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gcra {
    empty_at_ns: u64,
}

const NS_PER_MS: u64 = 1_000_000;

impl Gcra {
    /// Takes one request, or says after how many milliseconds one would be taken (at least 1).
    pub fn take(&mut self, now_ms: Millis, rate: Rate) -> Result<(), Millis> {
        if rate.per_second == 0 || rate.burst == 0 {
            return Err(1000);
        }
        let now = now_ms.saturating_mul(NS_PER_MS);
        let step = 1_000_000_000 / u64::from(rate.per_second);
        let empty_at = self.empty_at_ns.max(now).saturating_add(step);
        let latest = now.saturating_add(step.saturating_mul(u64::from(rate.burst)));
        if empty_at > latest {
            return Err((empty_at - latest).div_ceil(NS_PER_MS).max(1));
        }
        self.empty_at_ns = empty_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: Rate = Rate {
        per_second: 10,
        burst: 3,
    };

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Gcra::default();
        for _ in 0..3 {
            assert_eq!(bucket.take(1000, RATE), Ok(()));
        }
        assert_eq!(bucket.take(1000, RATE), Err(100));
        assert_eq!(bucket.take(1099, RATE), Err(1));
        assert_eq!(bucket.take(1100, RATE), Ok(()));
        assert_eq!(bucket.take(1100, RATE), Err(100));
    }

    #[test]
    fn a_rate_of_nothing_takes_nothing() {
        assert!(
            Gcra::default()
                .take(
                    5,
                    Rate {
                        per_second: 0,
                        burst: 9
                    }
                )
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(gaps in proptest::collection::vec(0u64..50, 1..400)) {
            let (mut bucket, mut now, mut taken) = (Gcra::default(), 10_000, 0u64);
            let start = now;
            for gap in gaps {
                now += gap;
                taken += u64::from(bucket.take(now, RATE).is_ok());
            }
            let most = u64::from(RATE.burst) + (now - start) * u64::from(RATE.per_second) / 1000;
            prop_assert!(taken <= most, "{taken} taken of {most}");
        }
    }
}
