//! The workload: how many pairs, and how fast they send.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};

/// One workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundWorkload {
    /// Closed loop, written `64x16`: each answer lets the client send its next message.
    Closed {
        /// Pairs of client and bot.
        pairs: usize,
        /// Messages under way in each.
        window: usize,
    },
    /// Open loop, written `1000@15000`: messages leave at their time, whatever became of the others.
    Open {
        /// Pairs of client and bot.
        pairs: usize,
        /// Round trips a second of all pairs together; each is two messages.
        trips_per_s: u32,
    },
}

impl RoundWorkload {
    /// How many pairs it has.
    pub const fn pairs(self) -> usize {
        match self {
            Self::Closed { pairs, .. } | Self::Open { pairs, .. } => pairs,
        }
    }
}

impl fmt::Display for RoundWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { pairs, window } => write!(f, "{pairs}x{window}"),
            Self::Open { pairs, trips_per_s } => write!(f, "{pairs}@{trips_per_s}"),
        }
    }
}

impl FromStr for RoundWorkload {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let workload = if let Some((pairs, window)) = text.split_once('x') {
            let (pairs, window) = (pairs.parse()?, window.parse()?);
            ensure!(window > 0, "a window of nothing");
            Self::Closed { pairs, window }
        } else {
            let (pairs, rate) = text
                .split_once('@')
                .context("neither 64x16 nor 1000@15000")?;
            let (pairs, trips_per_s) = (pairs.parse()?, rate.parse()?);
            ensure!(trips_per_s > 0, "a rate of nothing");
            Self::Open { pairs, trips_per_s }
        };
        ensure!(workload.pairs() > 0, "no pairs");
        Ok(workload)
    }
}

/// When each message of an open loop has to leave: evenly, the pairs in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenSchedule {
    start: Instant,
    pairs: u64,
    trips_per_s: u64,
}

impl OpenSchedule {
    /// The first leaves at `start`.
    pub fn new(start: Instant, pairs: usize, trips_per_s: u32) -> Self {
        Self {
            start,
            pairs: pairs as u64,
            trips_per_s: u64::from(trips_per_s),
        }
    }

    /// Between two messages of all pairs.
    pub fn interval(&self) -> Duration {
        Duration::from_nanos(1_000_000_000 / self.trips_per_s)
    }

    /// When the message of this number, from 0, of all pairs has to leave.
    pub fn at(&self, number: u64) -> Instant {
        // Of the number and not step by step, so that rounding does not add up.
        let nanoseconds = u128::from(number) * 1_000_000_000 / u128::from(self.trips_per_s);
        self.start + Duration::from_nanos(nanoseconds as u64)
    }

    /// Which pair sends the message of this number.
    pub fn pair(&self, number: u64) -> usize {
        (number % self.pairs) as usize
    }

    /// When a pair's message had to leave; `number` is its own count, from 0.
    pub(crate) fn intended(&self, pair: usize, number: u64) -> Instant {
        self.at(number * self.pairs + pair as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_written_as_it_is_read() {
        for text in ["1x1", "64x16", "1000@15000"] {
            assert_eq!(text.parse::<RoundWorkload>().unwrap().to_string(), text);
        }
        for text in ["", "64", "64x0", "0x1", "1000@0", "x", "1000@"] {
            assert!(text.parse::<RoundWorkload>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_schedule_keeps_its_rate_and_takes_turns() {
        let start = Instant::now();
        let schedule = OpenSchedule::new(start, 1000, 15_000);
        assert_eq!(schedule.at(0), start);
        assert_eq!(schedule.at(15_000 * 60), start + Duration::from_secs(60));
        assert_eq!(schedule.interval(), Duration::from_nanos(66_666));
        for number in [0, 999, 1000, 12_345] {
            let (pair, own) = (schedule.pair(number), number / 1000);
            assert_eq!(schedule.intended(pair, own), schedule.at(number));
        }
    }
}
