//! From the text of a value to the value. Errors: the rule, without the text.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use backplane::Redis;

use protocol::units::parse_duration;

use super::log_format::LogFormat;

/// Below it, a slow network would count as a silent peer.
const PATIENCE_MIN: Duration = Duration::from_secs(1);
/// Twice as much is the TCP user timeout, of which the kernel takes at most 24 days.
const PATIENCE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The scripts in Redis count in doubles, which are exact up to here.
const KEY_GENERATION_MAX: u64 = (1 << 53) - 1;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let text = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    text.parse()
        .map_err(|_| "expected an address and a port, like 127.0.0.1:3000 or [::]:3000".to_owned())
}

/// How long a peer may say nothing.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    if !(PATIENCE_MIN..=PATIENCE_MAX).contains(&time) {
        return Err("must be from 1s to 24h".to_owned());
    }
    Ok(time)
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("expected a path".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// A file that can be opened.
pub(super) fn readable(text: &str) -> Result<PathBuf, String> {
    let path = path(text)?;
    std::fs::File::open(&path).map_err(|e| format!("cannot be read: {e}"))?;
    Ok(path)
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_| "expected true or false".to_owned())
}

pub(super) fn redis_url(text: &str) -> Result<String, String> {
    let checked = Redis::check_url(text);
    checked.map(|()| text.to_owned()).map_err(|e| e.to_string())
}

/// What all paths of the public listener begin with.
pub(super) fn base_path(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let is_part =
        |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(is_plain);
    match text.strip_prefix('/') {
        Some(parts) if parts.split('/').all(is_part) => Ok(text.to_owned()),
        Some(_) | None => Err(
            "expected a path like /t2b, without a slash at its end: letters, digits, - . _ ~"
                .to_owned(),
        ),
    }
}

/// How often usage is booked. Hours close ten minutes after their end, so it must be well below that.
pub(super) fn usage_flush(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    let range = Duration::from_secs(1)..=Duration::from_secs(5 * 60);
    match range.contains(&time) {
        true => Ok(time),
        false => Err("must be from 1s to 5m".to_owned()),
    }
}

/// How long the ledger keeps an hour, whole hours. Allowances and bills need a whole month.
pub(super) fn usage_keep_hours(text: &str) -> Result<u32, String> {
    const DAY_H: u64 = 24;
    let hours = parse_duration(text)?.as_secs() / 3600;
    match (32 * DAY_H..=400 * DAY_H).contains(&hours) {
        true => Ok(hours as u32),
        false => Err("must be from 32d to 400d".to_owned()),
    }
}

/// How often the journal of usage is written; zero: never.
pub(super) fn usage_journal(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    let range = Duration::from_millis(10)..=Duration::from_secs(10);
    match time.is_zero() || range.contains(&time) {
        true => Ok(time),
        false => Err("must be from 10ms to 10s, or 0".to_owned()),
    }
}

/// A name that is part of ids.
pub(super) fn cluster_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match (1..=32).contains(&text.len()) && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("expected 1-32 letters, digits, dots, underscores or dashes".to_owned()),
    }
}

pub(super) fn redis_prefix(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("expected 1 to 64 of letters, digits, . _ : -".to_owned())
}

pub(super) fn count(text: &str) -> Result<u64, String> {
    whole(text).ok_or_else(|| "expected a whole number".to_owned())
}

/// A number of digits only: the standard library reads a plus sign too.
pub(super) fn whole(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

pub(super) fn key_generation(text: &str) -> Result<u64, String> {
    let generation = count(text)?;
    if generation > KEY_GENERATION_MAX {
        return Err(format!("must be at most {KEY_GENERATION_MAX}"));
    }
    Ok(generation)
}

pub(super) fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    }
}
