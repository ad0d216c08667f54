//! A time as a person writes it: `500ms`, `30s`, `5m`, `2h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds of each unit, the largest first.
const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A time with its unit. Wire form: a whole number and `ms`, `s`, `m` or `h`; or `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(Duration);

impl Span {
    /// A time of so many milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// The same for the standard library.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// Nanoseconds; a day has 2^46.
    pub fn as_ns(self) -> u64 {
        self.0.as_nanos() as u64
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time with its unit, like 500ms, 30s or 5m");
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (digits, unit) = text.split_at(at);
        let factor = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, factor) = factor.ok_or_else(wrong)?;
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        let ms = number.checked_mul(*factor).ok_or_else(wrong)?;
        Ok(Self::from_ms(ms))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis() as u64;
        if ms == 0 {
            return f.write_str("0");
        }
        let unit = UNITS.iter().find(|(_, factor)| ms.is_multiple_of(*factor));
        let (name, factor) = unit.expect("a millisecond divides everything");
        write!(f, "{}{name}", ms / factor)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, ms) in [
            ("0", 0),
            ("500ms", 500),
            ("1500ms", 1500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span, Span::from_ms(ms), "{text}");
            assert_eq!(span.to_string(), text);
        }
        assert_eq!("60s".parse::<Span>().unwrap().to_string(), "1m");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1d",
            "99999999999999999h",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
