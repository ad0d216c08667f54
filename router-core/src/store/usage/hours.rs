//! Which hours still take records.

use protocol::UsageHour;
use protocol::limits::{CLOCK_SKEW_MAX_MS, USAGE_CLOSE_MS};

use crate::env::Millis;

/// The first hour that takes records at a time of the store's clock. All before it are closed.
pub const fn first_open_hour(store_ms: Millis) -> UsageHour {
    UsageHour::of(store_ms.saturating_sub(USAGE_CLOSE_MS))
}

/// Whether a reader may take an hour for closed. `flushed`: the first hour of which some live node may
/// still have usage that it has not booked.
///
/// Readers wait for longer than the store takes records, since their clock and that of the Redis server
/// with the tenant may differ.
pub const fn is_read_closed(hour: UsageHour, now_ms: Millis, flushed: UsageHour) -> bool {
    let closed_ms = hour.end_ms() + USAGE_CLOSE_MS + CLOCK_SKEW_MAX_MS;
    now_ms >= closed_ms && hour.number() < flushed.number()
}

/// The first hour that a reader must expect to change. All rows before it are closed to [`is_read_closed`], also if
/// it asks a Redis server whose clock differs from `now_ms`, which is the node's time.
pub fn read_closed_until(now_ms: Millis, flushed: UsageHour) -> UsageHour {
    let closed_ms = now_ms.saturating_sub(USAGE_CLOSE_MS + 2 * CLOCK_SKEW_MAX_MS);
    UsageHour::of(closed_ms).min(flushed)
}

/// Whether usage that cannot be booked, because what the store has of its tenant is damaged, still keeps its hours from
/// reading as closed. `since_ms`: since when; both on the same clock.
///
/// Only a person can repair it. Without an end, one damaged tenant would hold back the bills of all.
pub const fn damage_holds_hours(since_ms: Millis, now_ms: Millis) -> bool {
    now_ms.saturating_sub(since_ms) < USAGE_CLOSE_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_takes_an_hour_for_closed_only_after_the_store_does() {
        let hour = UsageHour::parse("2026112809").unwrap();
        let closes_ms = hour.end_ms() + USAGE_CLOSE_MS;
        assert_eq!(first_open_hour(closes_ms - 1), hour);
        assert_eq!(first_open_hour(closes_ms), hour.plus(1));
        let flushed = hour.plus(1);
        assert!(!is_read_closed(
            hour,
            closes_ms + CLOCK_SKEW_MAX_MS - 1,
            flushed
        ));
        assert!(is_read_closed(hour, closes_ms + CLOCK_SKEW_MAX_MS, flushed));
        assert!(!is_read_closed(hour, Millis::MAX, hour));
    }

    #[test]
    fn all_hours_before_the_first_open_one_are_closed_by_every_clock() {
        let hour = UsageHour::parse("2026112809").unwrap();
        let far = hour.plus(9);
        for now_ms in (hour.start_ms()..hour.plus(3).start_ms()).step_by(10_000) {
            let until = read_closed_until(now_ms, far);
            let slowest_ms = now_ms - CLOCK_SKEW_MAX_MS;
            assert!(is_read_closed(until.minus(1), slowest_ms, far), "{now_ms}");
            assert!(until.end_ms() + USAGE_CLOSE_MS + 2 * CLOCK_SKEW_MAX_MS > now_ms);
        }
        assert_eq!(read_closed_until(Millis::MAX, hour), hour);
    }
}
