//! Rows of usage, as the API shows the ledger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::ids::TenantId;
use crate::usage::{UsageHour, UsageMeter};

/// How long the period of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UsageStep {
    /// An hour.
    Hour,
    /// A day, UTC.
    Day,
}

impl UsageStep {
    /// Hours of a period.
    pub const fn hours(self) -> u32 {
        match self {
            Self::Hour => 1,
            Self::Day => UsageHour::PER_DAY,
        }
    }

    /// The first hour of the period that an hour is in.
    pub const fn start_of(self, hour: UsageHour) -> UsageHour {
        match self {
            Self::Hour => hour,
            Self::Day => hour.day(),
        }
    }
}

/// How much a tenant used of one meter in one period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageRow {
    /// `<cluster>:<tenant>:<meter>:<period>`, the period as `2026112809` or `20261128`. The same row has the
    /// same id for good, so a receiver that ignores ids which it knows bills a row once.
    pub id: String,
    /// Whose.
    pub tenant: String,
    /// The meter.
    pub meter: UsageMeter,
    /// When the period begins, RFC 3339.
    pub from: String,
    /// When it ends: the first moment after it.
    pub to: String,
    /// The amount: a whole number, or seconds with at most three decimals.
    pub value: Number,
    /// What of it came when the hour in which it was counted was closed, and so is in a later hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Number>,
    /// Whether the row never changes any more.
    pub closed: bool,
}

impl UsageRow {
    /// The row of a period that begins with an hour. Amounts are in the unit of the ledger.
    pub fn new(
        (cluster, tenant): (&str, &TenantId),
        (step, from): (UsageStep, UsageHour),
        (meter, amount, late): (UsageMeter, u64, u64),
        closed: bool,
    ) -> Self {
        let period = match step {
            UsageStep::Hour => from.to_string(),
            UsageStep::Day => from.day_text(),
        };
        Self {
            id: format!("{cluster}:{tenant}:{meter}:{period}"),
            tenant: tenant.to_string(),
            meter,
            from: from.rfc3339(),
            to: from.plus(step.hours()).rfc3339(),
            value: number(meter, amount),
            late: (late > 0).then(|| number(meter, late)),
            closed,
        }
    }

    /// The amount in the unit of the ledger: milliseconds where the meter's unit is seconds. `None`: the
    /// value is not one that a gateway writes.
    pub fn amount(&self) -> Option<u64> {
        amount(self.meter, &self.value)
    }

    /// What of it is late, in the unit of the ledger. `None`: as for [`Self::amount`].
    pub fn late_amount(&self) -> Option<u64> {
        let late = self.late.as_ref();
        late.map_or(Some(0), |late| amount(self.meter, late))
    }
}

/// A number of JSON in the unit of the ledger.
fn amount(meter: UsageMeter, value: &Number) -> Option<u64> {
    if let Some(whole) = value.as_u64() {
        let factor = if meter.is_seconds() { 1000 } else { 1 };
        return whole.checked_mul(factor);
    }
    let seconds = value.as_f64()?;
    let is_amount = meter.is_seconds() && (0.0..9e12).contains(&seconds);
    // Three decimals are exact in this range.
    is_amount.then(|| (seconds * 1000.0).round() as u64)
}

/// An amount as JSON.
fn number(meter: UsageMeter, amount: u64) -> Number {
    let seconds = meter.is_seconds().then_some(amount as f64 / 1000.0);
    match seconds {
        None => amount.into(),
        Some(_) if amount.is_multiple_of(1000) => (amount / 1000).into(),
        Some(seconds) => Number::from_f64(seconds).unwrap_or_else(|| (amount / 1000).into()),
    }
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsagePage {
    /// What time it was in the ledger, RFC 3339.
    pub as_of: String,
    /// The first hour that may still change, RFC 3339. If it is not before the end of the range, the page has all
    /// rows that it will ever have, and none of them changes.
    pub closed_until: String,
    /// In the order of day, tenant, period and meter, where tenants come in an order of the ledger's own.
    pub rows: Vec<UsageRow>,
    /// Asks for the next page; absent on the last one. A page that has one may have fewer rows than `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_back_as_it_was() {
        let tenant = TenantId::parse("alice").unwrap();
        let hour = UsageHour::parse("2026112823").unwrap();
        let meter = UsageMeter::ConnectionSecondsBot;
        for amount in [0, 1, 1000, 3_600_000, 61_007, (1 << 43) + 1] {
            let row = UsageRow::new(
                ("t2b", &tenant),
                (UsageStep::Hour, hour),
                (meter, amount, 0),
                true,
            );
            let text = serde_json::to_string(&row).unwrap();
            let read: UsageRow = serde_json::from_str(&text).unwrap();
            assert_eq!(read, row);
            assert_eq!(read.amount(), Some(amount), "{text}");
        }
        let row = UsageRow::new(
            ("t2b", &tenant),
            (UsageStep::Day, hour.day()),
            (UsageMeter::BytesIn, 7, 2),
            false,
        );
        assert_eq!(row.id, "t2b:alice:bytes_in:20261128");
        assert_eq!(
            (row.from.as_str(), row.to.as_str()),
            ("2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z")
        );
        assert_eq!(row.late, Some(2.into()));
    }
}
