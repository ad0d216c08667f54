//! The hours of the ledger, in UTC.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, Time};

/// Milliseconds of an hour.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// An hour of the ledger: hours since the beginning of 1970, UTC.
///
/// Text: `2026112809`, as keys of the store have it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UsageHour(u32);

impl UsageHour {
    /// Hours of a day.
    pub const PER_DAY: u32 = 24;
    /// The last hour that has a text with four digits of the year.
    const LAST: Self = Self(70_389_527);

    /// The hour of a time, Unix milliseconds. Times after the year 9999 are in its last hour.
    pub const fn of(unix_ms: u64) -> Self {
        let hour = unix_ms / HOUR_MS;
        match hour < Self::LAST.0 as u64 {
            true => Self(hour as u32),
            false => Self::LAST,
        }
    }

    /// The hour with a number; `None`: after the year 9999.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number <= Self::LAST.0 {
            true => Some(Self(number)),
            false => None,
        }
    }

    /// Its number: hours since the beginning of 1970.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// When it begins, Unix milliseconds.
    pub const fn start_ms(self) -> u64 {
        self.0 as u64 * HOUR_MS
    }

    /// When it ends, Unix milliseconds: the first moment of the next one.
    pub const fn end_ms(self) -> u64 {
        self.start_ms() + HOUR_MS
    }

    /// The hour that comes so many hours later.
    #[must_use]
    pub const fn plus(self, hours: u32) -> Self {
        Self(self.0.saturating_add(hours))
    }

    /// The hour that was so many hours earlier; at least the first.
    #[must_use]
    pub const fn minus(self, hours: u32) -> Self {
        Self(self.0.saturating_sub(hours))
    }

    /// The first hour of its day.
    #[must_use]
    pub const fn day(self) -> Self {
        Self(self.0 - self.0 % Self::PER_DAY)
    }

    /// The first hour of its month.
    #[must_use]
    pub fn month(self) -> Self {
        let day_of_month = self.date_time().day();
        self.day()
            .minus(u32::from(day_of_month - 1) * Self::PER_DAY)
    }

    /// The first hour of the month after its own.
    #[must_use]
    pub fn next_month(self) -> Self {
        // No month has 32 days.
        self.month().plus(32 * Self::PER_DAY).month()
    }

    /// The hour of a text `yyyymmddhh`; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_decimal = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_decimal {
            return None;
        }
        let number = |at: std::ops::Range<usize>| text.get(at)?.parse::<u16>().ok();
        let month = u8::try_from(number(4..6)?).ok()?.try_into().ok()?;
        let day = u8::try_from(number(6..8)?).ok()?;
        let date = Date::from_calendar_date(i32::from(number(0..4)?), month, day).ok()?;
        let time = Time::from_hms(u8::try_from(number(8..10)?).ok()?, 0, 0).ok()?;
        let seconds = date.with_time(time).assume_utc().unix_timestamp();
        let hours = u64::try_from(seconds).ok()? / 3600;
        u32::try_from(hours).ok().and_then(Self::from_number)
    }

    /// The hour of a time as requests give it: a day `2026-11-28`, or a whole hour `2026-11-28T09:00:00Z`.
    /// `None`: it is neither.
    pub fn parse_time(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
        let hour = time.strip_suffix(":00:00Z")?;
        let is_dashed =
            date.len() == 10 && date.get(4..5) == Some("-") && date.get(7..8) == Some("-");
        let digits = [date.get(..4)?, date.get(5..7)?, date.get(8..)?, hour].concat();
        is_dashed.then(|| Self::parse(&digits)).flatten()
    }

    /// The day of the hour: `20261128`.
    pub fn day_text(self) -> String {
        format!("{:08}", self.day_number())
    }

    /// When it begins, as RFC 3339 has it: `2026-11-28T09:00:00Z`.
    pub fn rfc3339(self) -> String {
        let (year, month, day) = self.date_time().date().to_calendar_date();
        let hour = self.0 % Self::PER_DAY;
        format!("{year:04}-{:02}-{day:02}T{hour:02}:00:00Z", u8::from(month))
    }

    /// The digits of [`day_text`](Self::day_text) as a number.
    fn day_number(self) -> u32 {
        let (year, month, day) = self.date_time().date().to_calendar_date();
        year.unsigned_abs() * 10_000 + u32::from(u8::from(month)) * 100 + u32::from(day)
    }

    fn date_time(self) -> OffsetDateTime {
        let seconds = i64::from(self.0) * 3600;
        OffsetDateTime::from_unix_timestamp(seconds).expect("hours end with the year 9999")
    }
}

impl fmt::Display for UsageHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = u64::from(self.day_number()) * 100 + u64::from(self.0 % Self::PER_DAY);
        write!(f, "{digits:010}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_times_agree() {
        let hour = UsageHour::parse("2026112809").unwrap();
        assert_eq!(hour.to_string(), "2026112809");
        assert_eq!(hour.rfc3339(), "2026-11-28T09:00:00Z");
        assert_eq!(hour.day().to_string(), "2026112800");
        assert_eq!(UsageHour::of(hour.start_ms()), hour);
        assert_eq!(UsageHour::of(hour.end_ms() - 1), hour);
        assert_eq!(UsageHour::of(hour.end_ms()), hour.plus(1));
        for (hour, next) in [
            ("2026112809", "2026120100"),
            ("2026123123", "2027010100"),
            ("2026020100", "2026030100"),
        ] {
            let hour = UsageHour::parse(hour).unwrap();
            assert_eq!(hour.next_month().to_string(), next);
        }
        assert_eq!(
            UsageHour::parse("2024022923").unwrap().plus(1).to_string(),
            "2024030100"
        );
    }

    #[test]
    fn the_last_hour_has_a_text_and_is_never_passed() {
        let last = UsageHour::of(u64::MAX);
        assert_eq!(last.to_string(), "9999123123");
        assert_eq!(UsageHour::from_number(last.number() + 1), None);
    }

    #[test]
    fn requests_name_days_and_whole_hours() {
        let hour = UsageHour::parse("2026112809").unwrap();
        assert_eq!(UsageHour::parse_time("2026-11-28T09:00:00Z"), Some(hour));
        assert_eq!(UsageHour::parse_time("2026-11-28"), Some(hour.day()));
        for text in [
            "2026-11-28T09:30:00Z",
            "2026-11-28T09:00:00",
            "2026-11-28T24:00:00Z",
            "2026/11/28",
            "2026-11-2",
            "now",
            "",
        ] {
            assert_eq!(UsageHour::parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_hour_is_refused() {
        for text in [
            "",
            "2026112824",
            "2026133100",
            "2026023000",
            "202611280",
            "+026112809",
            "1969123123",
        ] {
            assert_eq!(UsageHour::parse(text), None, "{text}");
        }
    }
}
