//! Times and sizes as a person writes them: a whole number and its unit.

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

/// Writes bytes in the largest unit that they are a whole number of.
pub fn size_text(bytes: u64) -> String {
    let whole = |(_, factor): &&(&str, u64)| bytes.is_multiple_of(*factor);
    let (unit, factor) = SIZES.iter().find(whole).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / factor)
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
