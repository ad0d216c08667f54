//! What a machine's disk has of usage: the journals of its processes.

use std::collections::{BTreeMap, VecDeque};

use protocol::{BootId, TenantId};
use router_core::Millis;
use router_core::shard::UnbookedUsage;
use router_core::store::UsageRecord;

/// How often a process writes its journal.
pub(crate) const GATHER_MS: Millis = 100;

/// The journal of a process.
#[derive(Debug, Default)]
pub struct SimJournal {
    pub(super) tenants: BTreeMap<TenantId, UnbookedUsage>,
    /// The boot at the last write, and when that was.
    pub(super) last: Option<(BootId, Millis)>,
}

/// The journals of a machine.
#[derive(Debug, Default)]
pub(super) struct SimDisk {
    pub own: SimJournal,
    /// What journals of processes that ended have, and is not booked.
    pub dead: VecDeque<(TenantId, UsageRecord)>,
    /// Whether the first of these is with the store.
    pub is_asking: bool,
}

impl SimJournal {
    /// A journal with one record of a boot that ended before the run.
    pub fn of(boot: BootId, tenant: TenantId, record: UsageRecord) -> Self {
        let unbooked = UnbookedUsage {
            time_seq: record.seq + 1,
            timed_unix_ms: record.hour.start_ms(),
            records: [record].into_iter().collect(),
            sockets: Default::default(),
        };
        Self {
            last: Some((boot, unbooked.timed_unix_ms)),
            tenants: [(tenant, unbooked)].into(),
        }
    }
}

impl SimDisk {
    /// A process starts, and finds what the one before has left.
    pub fn start(&mut self) {
        let journal = std::mem::take(&mut self.own);
        self.bury(journal);
        self.is_asking = false;
    }

    /// Adds the journal of a process that is gone.
    pub fn bury(&mut self, journal: SimJournal) {
        let Some((boot, last_ms)) = journal.last else {
            return;
        };
        for (tenant, unbooked) in journal.tenants {
            let records = unbooked.recovered(boot, last_ms);
            self.dead
                .extend(records.map(|record| (tenant.clone(), record)));
        }
    }
}
