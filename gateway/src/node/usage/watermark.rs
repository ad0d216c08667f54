//! Up to which hour all usage of this node is booked.

use std::sync::atomic::Ordering;

use protocol::{TenantId, UsageHour};
use router_core::shard::BookedRecord;

use crate::node::core::Node;

impl Node {
    /// The last record that the store answered for, of each tenant that is wanted; in no order.
    pub(crate) fn booked_records(
        &self,
        is_wanted: impl Fn(&TenantId, &BookedRecord) -> bool,
    ) -> Vec<(TenantId, BookedRecord)> {
        let mut records = Vec::new();
        for cell in self.shards.cells() {
            let state = cell.lock();
            let booked = state.shard.booked();
            let wanted = booked.filter(|(tenant, record)| is_wanted(tenant, record));
            records.extend(wanted.map(|(tenant, record)| (tenant.clone(), *record)));
        }
        records
    }

    /// Looks whether everything of the hours that are over is booked, and says so in the next beat. Once it
    /// is, no record of these hours can come: nothing is looked at until the hour ends.
    pub(super) fn watch_hours(&self) {
        let now = UsageHour::of(self.unix_ms()).number();
        let flushed = self.usage.flushed.load(Ordering::Relaxed);
        if flushed >= now {
            return;
        }
        let snapshot = self.snapshot();
        let env = self.env(&snapshot);
        let cells = self.shards.cells().iter();
        let oldest = cells.filter_map(|cell| cell.lock().shard.oldest_unbooked(&env));
        let oldest = oldest.map(UsageHour::number).min().unwrap_or(now);
        let recovering = self.usage.recovering.load(Ordering::Relaxed);
        let flushed = oldest.min(recovering).min(now);
        let hour = UsageHour::from_number(flushed).unwrap_or_default();
        if self.membership.note_flushed(hour) {
            self.usage.flushed.store(flushed, Ordering::Relaxed);
        }
    }
}
