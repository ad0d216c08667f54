//! Numbers with units, worded for people.

/// A time in ms: `38 µs`, `1.24 ms`, `3.1 s`.
pub(crate) fn ms(ms: f64) -> String {
    match ms {
        _ if ms < 1.0 => format!("{} µs", digits(ms * 1e3)),
        _ if ms < 1000.0 => format!("{} ms", digits(ms)),
        _ => format!("{} s", digits(ms / 1e3)),
    }
}

/// A number with three digits, or all of those before the point, in groups: `0.0123`, `1.23`, `12,345`.
pub(crate) fn digits(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "–".to_owned(),
        _ if size == 0.0 => "0".to_owned(),
        _ if size < 0.01 => format!("{value:.4}"),
        _ if size < 1.0 => format!("{value:.3}"),
        _ if size < 10.0 => format!("{value:.2}"),
        _ if size < 100.0 => format!("{value:.1}"),
        _ => grouped(value.round() as i64),
    }
}

/// A whole number in groups of three.
pub(crate) fn count(value: u64) -> String {
    grouped(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Bytes: `512 B`, `1.5 KiB`, `64 MiB`.
pub(crate) fn bytes(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes;
    let mut place = 0;
    while value.abs() >= 1024.0 && place + 1 < units.len() {
        value /= 1024.0;
        place += 1;
    }
    format!("{} {}", digits(value), units[place])
}

/// A share: `93 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn grouped(value: i64) -> String {
    let text = value.unsigned_abs().to_string();
    let mut out = String::new();
    for (place, digit) in text.chars().enumerate() {
        if place > 0 && (text.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let times = [0.0382, 1.238, 12.38, 123.8, 3100.0].map(ms);
        assert_eq!(times, ["38.2 µs", "1.24 ms", "12.4 ms", "124 ms", "3.10 s"]);
        assert_eq!(
            [0.0, 0.5, 1234567.0].map(digits),
            ["0", "0.500", "1,234,567"]
        );
        assert_eq!(
            [100.0, 1536.0, 3.0 * 1024.0 * 1024.0].map(bytes),
            ["100 B", "1.50 KiB", "3.00 MiB"]
        );
        assert_eq!(count(1000), "1,000");
        assert_eq!(percent(0.934), "93 %");
    }
}
