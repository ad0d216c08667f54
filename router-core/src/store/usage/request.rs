//! What is asked of the usage ledger.

use protocol::{TenantId, UsageHour};

use super::record::UsageRecord;
use crate::store::tenants::TenantPart;

/// What is asked of a tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageQuery {
    /// Books a record. Reply: `Booked`. It may be repeated: a record whose `seq` is not above the last one
    /// of its boot changes nothing.
    Book {
        /// The record.
        record: Box<UsageRecord>,
        /// Whether it is the first of this tenant, node and day: then the tenant is written into the
        /// index of the day before.
        is_first_of_day: bool,
    },
    /// Reads hours. Reply: `Hours`.
    Read {
        /// The first hour.
        from: UsageHour,
        /// The hour after the last one; at most [`USAGE_RANGE_HOURS`](protocol::limits::USAGE_RANGE_HOURS)
        /// later.
        to: UsageHour,
    },
    /// Reads which records of which boots are booked. Reply: `Seen`.
    Seen,
}

impl UsageQuery {
    /// The query's name, for traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Book { .. } => "book_usage",
            Self::Read { .. } => "read_usage",
            Self::Seen => "read_usage_seen",
        }
    }
}

/// What is asked of the index: which tenants used something on a day. It is of no tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageIndexQuery {
    /// The first hour of the day.
    pub day: UsageHour,
    /// Which part of the index: below [`Self::PARTS`].
    pub part: u8,
}

impl UsageIndexQuery {
    /// Parts of the index of a day.
    pub const PARTS: u8 = TenantPart::COUNT;

    /// The part that a tenant is in.
    pub fn part_of(tenant: &TenantId) -> u8 {
        TenantPart::of(tenant).number()
    }
}
