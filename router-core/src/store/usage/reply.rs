//! What the store answers about usage.

use protocol::{BootId, TenantId, UsageHour};

use super::record::HourUsage;
use crate::env::Millis;

/// The answer to a [`UsageQuery`](super::UsageQuery).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageReply {
    /// The record is in the ledger.
    Booked {
        /// Whether it came for a closed hour, and so is in a later one.
        is_late: bool,
    },
    /// The hours that have something, in order, and what time it was in the store.
    Hours {
        /// The store's time, Unix milliseconds.
        as_of_ms: Millis,
        /// Each hour once, damaged ones among them.
        hours: Vec<(UsageHour, HourUsage)>,
    },
    /// The last record of each boot, in no order. Boots that booked nothing for 7 days are left out.
    Seen(Vec<(BootId, u64)>),
}

/// The answer to a [`UsageIndexQuery`](super::UsageIndexQuery): tenants in the order of their ids.
pub type TenantIndex = Vec<TenantId>;
