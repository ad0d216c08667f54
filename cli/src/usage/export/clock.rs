//! What time it is, and times as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::UsageHour;

/// Unix milliseconds.
pub(super) fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// A time as RFC 3339 has it, in whole seconds. `unix_ms`: Unix milliseconds.
pub(super) fn rfc3339(unix_ms: u64) -> String {
    let hour = UsageHour::of(unix_ms);
    let seconds = (unix_ms - hour.start_ms()) / 1000;
    let rest = format!(":{:02}:{:02}Z", seconds / 60, seconds % 60);
    hour.rfc3339().replace(":00:00Z", &rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_seconds() {
        let hour = UsageHour::parse("2026112800").unwrap();
        assert_eq!(rfc3339(hour.start_ms()), "2026-11-28T00:00:00Z");
        assert_eq!(rfc3339(hour.end_ms() - 1), "2026-11-28T00:59:59Z");
    }
}
