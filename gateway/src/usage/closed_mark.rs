//! Up to which hour this node has answered that usage is closed.

use std::sync::atomic::{AtomicU32, Ordering};

use protocol::UsageHour;
use router_core::Millis;
use router_core::store::usage::read_closed_until;

/// The highest `closed_until` of all answers.
///
/// A node that starts may find usage of a closed hour in its journal, and says so in its beat. That usage is booked
/// into a later hour: the closed hour does not change, and must not read as open again.
#[derive(Debug, Default)]
pub(crate) struct ClosedMark(AtomicU32);

impl ClosedMark {
    /// The first hour of which some node may still book usage into that very hour. `flushed`: the first hour of which
    /// some live node has usage that is not booked; `now_ms`: the node's time, Unix milliseconds.
    ///
    /// With the same or a later time, [`read_closed_until`] of the result is never before that of an earlier result.
    pub(crate) fn flushed(&self, now_ms: Millis, flushed: UsageHour) -> UsageHour {
        let closed = read_closed_until(now_ms, flushed);
        let before = self.0.fetch_max(closed.number(), Ordering::Relaxed);
        UsageHour::from_number(before).map_or(flushed, |before| flushed.max(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_that_was_closed_is_not_open_again() {
        let hour = UsageHour::parse("2026112809").unwrap();
        let (mark, now_ms) = (ClosedMark::default(), hour.plus(3).start_ms());
        assert_eq!(mark.flushed(now_ms, hour.plus(1)), hour.plus(1));
        // A node has come back with usage of the hour before.
        assert_eq!(mark.flushed(now_ms, hour), hour.plus(1));
        assert_eq!(mark.flushed(now_ms, hour.plus(2)), hour.plus(2));
    }

    #[test]
    fn an_hour_that_is_not_over_is_held_by_a_node() {
        let hour = UsageHour::parse("2026112809").unwrap();
        let (mark, now_ms) = (ClosedMark::default(), hour.start_ms());
        assert_eq!(mark.flushed(now_ms, hour), hour);
        let later_ms = hour.plus(3).start_ms();
        assert_eq!(mark.flushed(later_ms, hour), hour);
        assert_eq!(mark.flushed(later_ms, hour.minus(1)), hour);
    }
}
