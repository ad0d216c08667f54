//! What the journal and the metrics are told of a tenant.

use protocol::{BootId, TenantId, UsageCounts, UsageHour};

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
    /// The `seq` of the record that the time of the sockets is added to: the last one, if more may be added to
    /// it, or else the next one.
    pub time_seq: u64,
    /// How many sockets are open.
    pub sockets: SocketCounts,
    /// Up to when their time is in the records, Unix milliseconds.
    pub timed_unix_ms: Millis,
}

impl UnbookedUsage {
    /// What is to be booked once the boot is gone, which was there until `last_unix_ms` at least.
    ///
    /// The records keep their boots and numbers: one that the boot booked without noting it is not booked
    /// again. The time of open sockets since it was counted is in the record to which the meter adds it: if the
    /// boot booked that one, it has the time.
    pub fn recovered(
        mut self,
        boot: BootId,
        last_unix_ms: Millis,
    ) -> impl Iterator<Item = UsageRecord> {
        let timed_ms = self.timed_unix_ms;
        let hour_ms = UsageHour::of(last_unix_ms).start_ms();
        // When an hour ends, the meter completes the record with the time until then.
        let before_ms = last_unix_ms.min(hour_ms).saturating_sub(timed_ms);
        let since_ms = last_unix_ms.saturating_sub(timed_ms.max(hour_ms));
        self.add_time(boot, UsageHour::of(timed_ms), before_ms);
        self.add_time(boot, UsageHour::of(last_unix_ms), since_ms);
        let records = self.records.into_iter();
        records.filter(|record| !record.counts.is_zero())
    }

    /// Adds this much time to the record to which the meter would add it, and completes that record.
    fn add_time(&mut self, boot: BootId, hour: UsageHour, ms: Millis) {
        if ms == 0 {
            return;
        }
        if self
            .records
            .last()
            .is_none_or(|last| last.seq < self.time_seq)
        {
            self.records.push(UsageRecord {
                boot,
                seq: self.time_seq,
                hour,
                counts: UsageCounts::default(),
            });
        }
        if let Some(record) = self.records.last_mut() {
            record.counts.add(&self.sockets.time(ms));
        }
        self.time_seq += 1;
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

    /// Whether there is something to report.
    pub fn has_report(&self) -> bool {
        self.changed
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
        let open_seq = self.open.as_ref().map(|open| open.record.seq);
        let sockets_before = std::mem::replace(&mut self.reported_sockets, self.sockets);
        UsageReport {
            tenant: id.clone(),
            added,
            sockets_before,
            unbooked: UnbookedUsage {
                records,
                time_seq: open_seq.unwrap_or(self.next_seq),
                sockets: self.sockets,
                timed_unix_ms: self.timed_unix_ms(env),
            },
        }
    }
}
