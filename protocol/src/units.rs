//! Times and sizes as a person writes them in flags and files: a whole number and its unit.

use std::time::Duration;

/// Milliseconds of each unit of time, the largest first.
const TIMES: &[(&str, u64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Bytes of each unit of size, the largest first.
const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Reads `500ms`, `30s`, `5m`, `24h`, `7d` or `0`. Errors: a sentence without the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    parse(text, TIMES)
        .map(Duration::from_millis)
        .ok_or_else(|| "expected a time with its unit, like 500ms, 30s or 5m".to_owned())
}

/// Reads `512B`, `64KiB`, `1MiB`, `2GiB` or `0`. Errors: a sentence without the text.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse(text, SIZES)
        .ok_or_else(|| "expected a size with its unit, like 512B, 64KiB or 1MiB".to_owned())
}

/// Writes a time in whole milliseconds in the largest unit, up to an hour, that divides it; 0 without a
/// unit.
pub fn duration_text(time: Duration) -> String {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    // People say 48h, not 2d.
    match ms {
        0 => "0".to_owned(),
        _ => text_in(ms, &TIMES[1..]),
    }
}

/// Writes bytes in the largest unit that divides them.
pub fn size_text(bytes: u64) -> String {
    text_in(bytes, SIZES)
}

fn text_in(number: u64, units: &[(&str, u64)]) -> String {
    let divides = |(_, factor): &&(&str, u64)| number.is_multiple_of(*factor);
    let found = units.iter().find(divides);
    let (unit, factor) = found.expect("the last unit divides every number");
    format!("{}{unit}", number / factor)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let digits_end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(digits_end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let ms = |text| parse_duration(text).map(|time| time.as_millis());
        for (text, expected) in [("500ms", 500), ("30s", 30_000), ("5 m", 300_000), ("0", 0)] {
            assert_eq!(ms(text), Ok(expected), "{text}");
        }
        for text in ["0", "500ms", "1500ms", "30s", "5m", "48h"] {
            assert_eq!(duration_text(parse_duration(text).unwrap()), text);
        }
        assert_eq!(duration_text(Duration::from_secs(60)), "1m");
        for bad in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "30 sec",
            "99999999999999999999s",
            "1d2h",
        ] {
            assert!(ms(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("512B", 512),
            ("64KiB", 65_536),
            ("1MiB", 1 << 20),
            ("0", 0),
        ] {
            assert_eq!(parse_size(text), Ok(expected), "{text}");
        }
        for text in ["513B", "64KiB", "3MiB", "24GiB"] {
            assert_eq!(size_text(parse_size(text).unwrap()), text);
        }
        for bad in ["", "64", "64KB", "64kib", "1e3B", "18446744073709551615GiB"] {
            assert!(parse_size(bad).is_err(), "{bad:?}");
        }
    }
}
