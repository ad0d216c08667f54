//! What the journal and the metrics are told of a tenant.

use protocol::{BootId, TenantId, UsageCounts, UsageHour, UsageMeter};

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
    /// How many sockets the last report said; at the first, none.
    pub sockets_before: SocketCounts,
    /// What a journal keeps, in place of what it has of the tenant.
    pub unbooked: UnbookedUsage,
}

/// All that a tenant has on a node which is not booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnbookedUsage {
    /// Every record as it is now, the oldest first. More may be added to the last one.
    pub records: Vec<UsageRecord>,
    /// The `seq` of the next record.
    pub next_seq: u64,
    /// How many sockets are open.
    pub sockets: SocketCounts,
    /// Up to when their time is in the records, Unix milliseconds.
    pub timed_unix_ms: Millis,
}

impl UnbookedUsage {
    /// What is to be booked once the boot is gone, which was there until `last_unix_ms` at least.
    ///
    /// The records keep their boots and numbers: one that the boot booked without noting it is not booked
    /// again. The time of open sockets since it was counted gets the number of the next record: if the boot
    /// booked that one, it has the time.
    pub fn recovered(
        self,
        boot: BootId,
        last_unix_ms: Millis,
    ) -> impl Iterator<Item = UsageRecord> {
        let ms = last_unix_ms.saturating_sub(self.timed_unix_ms);
        let SocketCounts { bots, clients } = self.sockets;
        let counts: UsageCounts = [
            (UsageMeter::ConnectionSecondsBot, u64::from(bots) * ms),
            (UsageMeter::ConnectionSecondsClient, u64::from(clients) * ms),
        ]
        .into_iter()
        .collect();
        let rest = UsageRecord {
            boot,
            seq: self.next_seq,
            hour: UsageHour::of(last_unix_ms),
            counts,
        };
        let all = self.records.into_iter().chain([rest]);
        all.filter(|record| !record.counts.is_zero())
    }
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
        let mut added = UsageCounts::default();
        if let Some(backlog) = &mut self.backlog {
            added = std::mem::take(&mut backlog.unreported);
        }
        self.backlog.take_if(|backlog| backlog.is_empty());
        let waiting = self.backlog.iter_mut();
        let waiting = waiting.flat_map(|backlog| &mut backlog.waiting);
        let records = waiting.chain(&mut self.open);
        let records = records.map(|it| {
            added.add(&it.record.counts.since(&it.reported));
            it.reported = it.record.counts;
            it.record.clone()
        });
        let records = records.collect();
        let sockets_before = std::mem::replace(&mut self.reported_sockets, self.sockets);
        UsageReport {
            tenant: id.clone(),
            added,
            sockets_before,
            unbooked: UnbookedUsage {
                records,
                next_seq: self.next_seq,
                sockets: self.sockets,
                timed_unix_ms: self.timed_unix_ms(env),
            },
        }
    }
}
