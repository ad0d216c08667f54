//! A time with its unit: `500ms`, `30s`, `5m`, `2h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use protocol::units::{duration_text, parse_duration};
use serde::{Deserialize, Serialize};

/// A time with its unit. Wire form: a whole number and `ms`, `s`, `m` or `h`; or `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeSpan(Duration);

impl TimeSpan {
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
}

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = parse_duration(text).map(Self);
        parsed.map_err(|error| format!("{text:?}: {error}"))
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration_text(self.0))
    }
}

impl TryFrom<String> for TimeSpan {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeSpan> for String {
    fn from(span: TimeSpan) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_text_is_named() {
        let error = "5".parse::<TimeSpan>().unwrap_err();
        assert!(error.starts_with("\"5\": expected a time"), "{error}");
    }
}
