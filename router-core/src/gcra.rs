//! A rate limit in eight bytes: the generic cell rate algorithm.
//!
//! It keeps the time at which the bucket would be empty again. A request is taken iff that time is
//! at most one burst ahead of now. Source: ITU-T I.371, the virtual scheduling form.

use crate::env::Millis;

/// How much is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Requests a second, in the long run; 0 = none at all.
    pub(crate) per_second: u32,
    /// Requests at once.
    pub(crate) burst: u32,
}

/// One bucket. It starts full: a whole burst may be taken at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gcra {
    empty_at_ns: u64,
}

const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;

impl Gcra {
    /// Takes one request, or says after how many milliseconds one would be taken (at least 1).
    pub(crate) fn take(&mut self, now_ms: Millis, rate: Rate) -> Result<(), Millis> {
        self.take_weighed(now_ms, rate, 1)
    }

    /// Takes a request of some weight, as soon as one of weight 1 would be taken: what it weighs
    /// beyond that is a debt, as in [`Self::charge`]. So a heavy request is never starved by light
    /// ones.
    pub(crate) fn take_weighed(
        &mut self,
        now_ms: Millis,
        rate: Rate,
        weight: u32,
    ) -> Result<(), Millis> {
        let Some(step) = NS_PER_S.checked_div(u64::from(rate.per_second)) else {
            return Err(1000);
        };
        let now = now_ms.saturating_mul(NS_PER_MS);
        // At most 10⁹ times 2³²: far below the largest number. So is the weight's product.
        let burst = step * u64::from(rate.burst);
        let used_until = self.empty_at_ns.max(now);
        let empty_at = used_until.saturating_add(step);
        let latest = now.saturating_add(burst);
        if empty_at > latest {
            return Err((empty_at - latest).div_ceil(NS_PER_MS).max(1));
        }
        let weight = step * u64::from(weight);
        self.empty_at_ns = used_until
            .saturating_add(weight)
            .min(latest.saturating_add(burst));
        Ok(())
    }

    /// Charges for what was done already. The bucket may owe as much as a whole burst, and no more:
    /// it takes requests again after at most the time that fills a burst.
    pub(crate) fn charge(&mut self, now_ms: Millis, rate: Rate, weight: u32) {
        let now = now_ms.saturating_mul(NS_PER_MS);
        let step = NS_PER_S / u64::from(rate.per_second.max(1));
        let burst = step * u64::from(rate.burst);
        let weight = step * u64::from(weight);
        let most = now.saturating_add(2 * burst);
        let empty_at = self.empty_at_ns.max(now).saturating_add(weight);
        self.empty_at_ns = empty_at.min(most).max(self.empty_at_ns);
    }

    /// Whether it is as a new one.
    pub(crate) fn is_full(&self, now_ms: Millis) -> bool {
        self.empty_at_ns <= now_ms.saturating_mul(NS_PER_MS)
    }

    /// How little is left: of two buckets of one rate the higher one is the emptier.
    pub(crate) fn use_so_far(&self) -> u64 {
        self.empty_at_ns
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
    fn a_heavy_request_is_taken_and_paid_for() {
        let mut bucket = Gcra::default();
        assert_eq!(bucket.take_weighed(1000, RATE, 5), Ok(()));
        assert_eq!(bucket.take(1000, RATE), Err(300), "two are owed");
        assert_eq!(bucket.take(1299, RATE), Err(1));
        assert_eq!(bucket.take(1300, RATE), Ok(()));
    }

    #[test]
    fn a_debt_is_at_most_a_burst() {
        let mut bucket = Gcra::default();
        for weight in [2, 1, 3] {
            bucket.charge(1000, RATE, weight);
        }
        assert_eq!(bucket.take(1000, RATE), Err(400), "three are owed");
        bucket.charge(1000, RATE, u32::MAX);
        assert_eq!(bucket.take(1000, RATE), Err(400));
        assert_eq!(bucket.take_weighed(1400, RATE, u32::MAX), Ok(()));
        assert_eq!(bucket.take(1400, RATE), Err(400));
        assert!(!bucket.is_full(1999) && bucket.is_full(2000));
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
