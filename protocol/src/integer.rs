//! Integers as any program may write them: a JSON number without a fraction, so `50.0` and `5e1`
//! are 50. Source: RFC 8259 §6, which has one kind of number.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// Digits of the largest `i128`.
const DIGITS_MAX: usize = 39;

/// An integer of 0 to 2^64 - 1; absent for any other value.
///
/// `raw`: one JSON value as written.
pub(crate) fn natural(raw: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(raw).ok()?;
    match digits.parse() {
        Ok(number) => Some(number),
        Err(_) => integral(digits)?.try_into().ok(),
    }
}

/// An integer of 64 bits with a sign; absent for any other value.
///
/// `raw`: one JSON value as written.
pub(crate) fn signed_of(raw: &str) -> Option<i64> {
    match raw.parse() {
        Ok(number) => Some(number),
        Err(_) => integral(raw)?.try_into().ok(),
    }
}

/// The value of a number that has no fraction.
#[cold]
fn integral(number: &str) -> Option<i128> {
    let (sign, unsigned) = match number.strip_prefix('-') {
        Some(unsigned) => (-1, unsigned),
        None => (1, number),
    };
    // Whatever else is no number.
    unsigned
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some(())?;
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    let zeros = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let power = exponent.saturating_add(zeros as i64 - fraction.len() as i64);
    let power = usize::try_from(power).ok()?;
    if significant.len().saturating_add(power) > DIGITS_MAX {
        return None;
    }
    let scale = 10_i128.checked_pow(u32::try_from(power).ok()?)?;
    let value: i128 = significant.parse().ok()?;
    value.checked_mul(scale)?.checked_mul(sign)
}

/// One that does not fit is as good as the largest or the smallest.
fn exponent_of(text: &str) -> i64 {
    let far = match text.starts_with('-') {
        true => i64::MIN,
        false => i64::MAX,
    };
    text.parse().unwrap_or(far)
}

/// Reads an integer member for serde.
pub(crate) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Integer::deserialize(deserializer).map(|integer| integer.0)
}

/// Reads an integer member that may be absent or `null` for serde.
pub(crate) fn optional<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<u64>,
{
    let integer = Option::<Integer>::deserialize(deserializer)?;
    let narrowed = integer.map(|integer| N::try_from(integer.0));
    let narrowed = narrowed.transpose();
    narrowed.map_err(|_| D::Error::custom("the integer is too large"))
}

struct Integer(u64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Integer;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer of 0 to 2^64 - 1")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Integer, E> {
                Ok(Integer(number))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Integer, E> {
                u64::try_from(number).map(Integer).map_err(E::custom)
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Integer, E> {
                // 2^64 itself is the first that does not fit.
                let fits = (0.0..18_446_744_073_709_551_616.0).contains(&number);
                if fits && number.fract() == 0.0 {
                    Ok(Integer(number as u64))
                } else {
                    Err(E::custom("the number is no integer of 0 to 2^64 - 1"))
                }
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_fraction_is_an_integer() {
        for (text, number) in [
            ("0", 0),
            ("-0", 0),
            ("0.000", 0),
            ("-0e9", 0),
            ("0e99999999999999999999", 0),
            ("50.0", 50),
            ("5e1", 50),
            ("500E-1", 50),
            ("0.5e+2", 50),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551615.0", u64::MAX),
            ("1844674407370955161.5e1", u64::MAX),
        ] {
            assert_eq!(natural(text.as_bytes()), Some(number), "{text}");
        }
        assert_eq!(signed_of("-5e1"), Some(-50));
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "0.5",
            "5e-1",
            "-1",
            "-1.0",
            "18446744073709551616",
            "1e20",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "null",
            "true",
            "\"1\"",
            "[1]",
            "",
        ] {
            assert_eq!(natural(text.as_bytes()), None, "{text}");
        }
        let long = format!("1{}", "0".repeat(70_000));
        assert_eq!(natural(long.as_bytes()), None);
        assert_eq!(natural(format!("{long}e-70000").as_bytes()), Some(1));
    }

    #[test]
    fn serde_reads_the_same() {
        #[derive(Deserialize)]
        struct Members {
            #[serde(deserialize_with = "required")]
            epoch: u64,
            #[serde(default, deserialize_with = "optional")]
            limit: Option<u32>,
        }
        let read =
            |text: &str| serde_json::from_str::<Members>(text).map(|it| (it.epoch, it.limit));
        assert_eq!(read(r#"{"epoch":1.0}"#).unwrap(), (1, None));
        assert_eq!(
            read(r#"{"epoch":1e2,"limit":5.0}"#).unwrap(),
            (100, Some(5))
        );
        assert_eq!(read(r#"{"epoch":1,"limit":null}"#).unwrap(), (1, None));
        for bad in [
            r#"{"epoch":-1}"#,
            r#"{"epoch":0.5}"#,
            r#"{"epoch":"1"}"#,
            r#"{"epoch":1e20}"#,
            r#"{"epoch":1,"limit":4294967296}"#,
            r#"{"limit":1}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
