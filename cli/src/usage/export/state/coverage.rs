//! The ranges of time of which every row is acknowledged, for each meter.
//!
//! Exports usually go on where the last one stopped, so a meter usually has one range. A range that could not be finished
//! leaves a hole, which the next export begins with.

use std::collections::BTreeMap;

use protocol::{UsageHour, UsageMeter};

/// An hour, and the hour after the last.
pub(super) type HourRange = (UsageHour, UsageHour);

/// Ranges that do not touch, in order, for each meter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UsageCoverage(BTreeMap<UsageMeter, Vec<HourRange>>);

impl UsageCoverage {
    /// Adds a range.
    pub(super) fn add(&mut self, meter: UsageMeter, (from, to): HourRange) {
        if from >= to {
            return;
        }
        let ranges = self.0.entry(meter).or_default();
        let mut joined = (from, to);
        // Ranges that touch become one.
        ranges.retain(|range| {
            let is_apart = range.1 < joined.0 || joined.1 < range.0;
            if !is_apart {
                joined = (range.0.min(joined.0), range.1.max(joined.1));
            }
            is_apart
        });
        let place = ranges.partition_point(|range| range.0 < joined.0);
        ranges.insert(place, joined);
    }

    /// Whether an hour of a meter is in a range.
    pub(super) fn has(&self, meter: UsageMeter, hour: UsageHour) -> bool {
        let mut ranges = self.0.get(&meter).into_iter().flatten();
        ranges.any(|(from, to)| (*from..*to).contains(&hour))
    }

    /// The first hour of a meter, not before `begin`, that is in no range.
    pub(super) fn first_hole(&self, meter: UsageMeter, begin: UsageHour) -> UsageHour {
        let ranges = self.0.get(&meter).into_iter().flatten();
        ranges.fold(begin, |hole, (from, to)| {
            match (*from..*to).contains(&hole) {
                true => *to,
                false => hole,
            }
        })
    }

    /// Every range of every meter.
    pub(super) fn iter(&self) -> impl Iterator<Item = (UsageMeter, HourRange)> {
        let meters = self.0.iter();
        meters.flat_map(|(meter, ranges)| ranges.iter().map(|range| (*meter, *range)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METER: UsageMeter = UsageMeter::BytesIn;

    fn hour(number: u32) -> UsageHour {
        UsageHour::from_number(number).unwrap()
    }

    fn coverage(ranges: &[(u32, u32)]) -> UsageCoverage {
        let mut coverage = UsageCoverage::default();
        for (from, to) in ranges {
            coverage.add(METER, (hour(*from), hour(*to)));
        }
        coverage
    }

    #[track_caller]
    fn check(ranges: &[(u32, u32)], expected: &[(u32, u32)]) {
        let found: Vec<_> = coverage(ranges)
            .iter()
            .map(|(_, (from, to))| (from.number(), to.number()))
            .collect();
        assert_eq!(found, expected, "{ranges:?}");
    }

    #[test]
    fn ranges_that_touch_become_one() {
        check(&[(1, 3), (3, 5)], &[(1, 5)]);
        check(&[(3, 5), (1, 3)], &[(1, 5)]);
        check(&[(1, 3), (4, 5)], &[(1, 3), (4, 5)]);
        check(&[(4, 5), (1, 3), (2, 4)], &[(1, 5)]);
        check(&[(1, 9), (4, 5)], &[(1, 9)]);
        check(&[(4, 5), (8, 9), (1, 20)], &[(1, 20)]);
        check(&[(4, 4), (5, 4)], &[]);
    }

    #[test]
    fn the_first_hole_is_where_an_export_goes_on() {
        let covered = coverage(&[(2, 4), (5, 7)]);
        let holes = [1, 2, 3, 4, 5, 6, 7, 8].map(|begin| {
            let hole = covered.first_hole(METER, hour(begin));
            hole.number()
        });
        assert_eq!(holes, [1, 4, 4, 4, 7, 7, 7, 8]);
        assert_eq!(covered.first_hole(UsageMeter::BytesOut, hour(2)), hour(2));
        assert!(covered.has(METER, hour(3)) && !covered.has(METER, hour(4)));
    }
}
