//! What is known of usage.

use std::collections::BTreeMap;

use protocol::{TenantId, UsageCounts, UsageHour};
use router_core::store::HourUsage;

/// What is known of usage.
#[derive(Debug, Default)]
pub(super) struct SeenUsage {
    /// What was put into queues since each machine's last write of its journal: lost if it dies.
    pub unwritten: BTreeMap<(usize, usize), UsageCounts>,
    /// What was put into queues, by tenant, and was in a journal.
    pub happened: BTreeMap<usize, UsageCounts>,
    /// What machines reported, by tenant.
    pub reported: BTreeMap<TenantId, UsageCounts>,
    /// What processes had counted and not reported when they died: they may have booked it.
    pub unreported: BTreeMap<TenantId, UsageCounts>,
    /// Whether the store lost data: then the ledger may have less.
    pub is_lossy: bool,
    /// Each hour as it was when it was first closed.
    pub closed: BTreeMap<(TenantId, UsageHour), HourUsage>,
}
