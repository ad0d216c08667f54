//! What the journal and the metrics are told of a tenant.

use protocol::{TenantId, UsageCounts};
use smallvec::SmallVec;

use super::{SocketCounts, TenantMeter};
use crate::env::{Env, Millis};
use crate::store::UsageRecord;

/// What a tenant counted since the last report, and all that is not booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// Whose.
    pub tenant: TenantId,
    /// What was counted since the last report.
    pub added: UsageCounts,
    /// Every record that is not booked as it is now, the oldest first. More is added to the last one.
    pub unbooked: SmallVec<[UsageRecord; 2]>,
    /// The `seq` of the next record.
    pub next_seq: u64,
    /// How many sockets are open.
    pub sockets: SocketCounts,
    /// Up to when their time is in the records, Unix milliseconds.
    pub timed_unix_ms: Millis,
}

impl TenantMeter {
    /// Whether there is something to report that the shard does not know of. From then on it knows.
    #[inline]
    pub fn take_unlisted(&mut self) -> bool {
        let is_unlisted = self.changed && !self.listed;
        self.listed |= is_unlisted;
        is_unlisted
    }

    /// What is to be reported now.
    pub fn report(&mut self, env: &Env<'_>, id: &TenantId) -> UsageReport {
        (self.changed, self.listed) = (false, false);
        let mut added = self
            .unreported
            .take()
            .map_or_else(UsageCounts::default, |it| *it);
        let waiting = self
            .waiting
            .iter_mut()
            .flat_map(|waiting| waiting.iter_mut());
        let records = waiting.chain(self.open.as_deref_mut());
        let unbooked = records.map(|it| {
            added.add(&it.record.counts.since(&it.reported));
            it.reported = it.record.counts;
            it.record.clone()
        });
        let unbooked = unbooked.collect();
        UsageReport {
            tenant: id.clone(),
            added,
            unbooked,
            next_seq: self.next_seq,
            sockets: self.sockets,
            timed_unix_ms: self.timed_unix_ms(env),
        }
    }
}
