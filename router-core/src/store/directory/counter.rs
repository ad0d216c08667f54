//! The numbers of a tenant's counter.
//!
//! `ver = max(ver + 1, known_ver + 1, now_µs)`, so that it does not go back when the store loses its
//! last writes. A `known_ver` of more than a day ahead counts as that; a `ver` of more than two days
//! ahead is repaired in the next step.

use protocol::limits::TIME_AHEAD_MS;

use crate::env::Millis;

/// The number that the step after a repair follows: no replica has it, so all read anew.
pub(super) const REPAIRED_VER: u64 = 1;

/// The latest time from outside that counts as one, Unix milliseconds.
pub const fn latest_time_ms(now_ms: Millis) -> Millis {
    now_ms.saturating_add(TIME_AHEAD_MS)
}

/// The highest number that an asker may have seen; a higher one counts as this.
pub(super) const fn latest_known_ver(now_ms: Millis) -> u64 {
    latest_time_ms(now_ms).saturating_mul(1000)
}

/// The highest number that a tenant's counter may have. A higher one is repaired: nothing could ever
/// come after it.
pub const fn latest_stored_ver(now_ms: Millis) -> u64 {
    latest_time_ms(latest_time_ms(now_ms)).saturating_mul(1000)
}
