//! Records as arguments of scripts, and what scripts reply.

use std::collections::BTreeMap;

use protocol::{BootId, TenantId, UsageCounts, UsageHour, UsageMeter};
use redis::Value;
use router_core::store::HourUsage;

use super::keys::{CHECK_FIELD, LATE_PREFIX};

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BookAnswer {
    /// It is in the hour, which was empty before or was not.
    Booked { was_empty: bool },
    /// It was there before.
    Seen,
    /// The hour is closed. It is this time there, Unix milliseconds.
    Closed { now_ms: u64 },
}

/// The amounts of a record, as arguments.
pub(super) fn amounts(counts: &UsageCounts) -> impl Iterator<Item = Vec<u8>> {
    let pairs = counts.iter();
    pairs.flat_map(|(meter, amount)| [meter.name().to_owned(), amount.to_string()].map(Vec::from))
}

/// The answer to a record.
pub(super) fn book_answer(value: Value) -> Option<BookAnswer> {
    let Value::Int(number) = value else {
        return None;
    };
    Some(match u64::try_from(number).ok()? {
        0 => BookAnswer::Seen,
        1 => BookAnswer::Booked { was_empty: false },
        2 => BookAnswer::Booked { was_empty: true },
        now_ms => BookAnswer::Closed { now_ms },
    })
}

/// The hours that have something, and what time it is there. `first`: the hour of the first key.
pub(super) fn hours(value: Value, first: UsageHour) -> Option<(u64, Vec<(UsageHour, HourUsage)>)> {
    let words: Vec<Value> = redis::from_redis_value(value).ok()?;
    let mut words = words.into_iter();
    let now: String = redis::from_redis_value(words.next()?).ok()?;
    let mut hours = Vec::new();
    while let Some(place) = words.next() {
        let place: u32 = redis::from_redis_value(place).ok()?;
        hours.push((first.plus(place), usage(words.next()?)));
    }
    Some((now.parse().ok()?, hours))
}

/// The usage of an hour. Fields of meters that this build does not know are passed over. What is no number, or no
/// hash, damages the hour and nothing else.
fn usage(value: Value) -> HourUsage {
    let mut usage = HourUsage::default();
    let Value::Array(words) = value else {
        usage.is_damaged = true;
        return usage;
    };
    let mut words = words.into_iter();
    while let (Some(field), Some(amount)) = (words.next(), words.next()) {
        let amount = text(amount).and_then(|amount| amount.parse().ok());
        let (Some(field), Some(amount)) = (text(field), amount) else {
            usage.is_damaged = true;
            continue;
        };
        if field == CHECK_FIELD {
            usage.check_number = amount;
        } else if let Some(meter) = field.strip_prefix(LATE_PREFIX) {
            if let Some(meter) = UsageMeter::parse(meter) {
                usage.late[meter] = amount;
            }
        } else if let Some(meter) = UsageMeter::parse(&field) {
            usage.counts[meter] = amount;
        }
    }
    usage
}

/// The last record of each boot.
pub(super) fn seen(value: Value) -> Option<Vec<(BootId, u64)>> {
    let seen = pairs(texts(value)?).into_iter().map(|(boot, last)| {
        let (seq, _) = last.split_once(' ')?;
        Some((boot.parse().ok()?, seq.parse().ok()?))
    });
    seen.collect()
}

/// The tenants of a part of an index, in order. `None`: a field is no tenant.
pub(super) fn tenants(value: Value) -> Option<Vec<TenantId>> {
    let tenants = pairs(texts(value)?).into_keys();
    let tenants = tenants.map(|tenant| TenantId::parse(&tenant).ok());
    tenants.collect()
}

fn text(value: Value) -> Option<String> {
    redis::from_redis_value(value).ok()
}

fn texts(value: Value) -> Option<Vec<String>> {
    redis::from_redis_value(value).ok()
}

fn pairs(words: Vec<String>) -> BTreeMap<String, String> {
    let mut words = words.into_iter();
    std::iter::from_fn(|| Some((words.next()?, words.next()?))).collect()
}
