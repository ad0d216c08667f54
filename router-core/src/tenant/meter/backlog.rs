//! What waits: complete records for the store, and booked amounts for the next report.

use protocol::UsageCounts;
use smallvec::SmallVec;

use crate::env::Millis;
use crate::store::UsageRecord;
use crate::store::usage::damage_holds_hours;

/// Records that wait to be booked. Beyond that the oldest ones are joined: they are for closed hours, and
/// would be booked into one hour anyway.
pub(super) const WAITING_MAX: usize = 24;

/// A record, and how much of it was reported.
#[derive(Debug)]
pub(super) struct MeterRecord {
    pub record: UsageRecord,
    pub reported: UsageCounts,
    /// When it began, on the clock of [`Env::now_ms`](crate::env::Env::now_ms).
    pub begun_ms: Millis,
}

/// What waits. A tenant has it for a moment at each flush, and for longer while the store is away.
#[derive(Debug, Default)]
pub(super) struct MeterBacklog {
    /// Records that are complete, the oldest first.
    pub waiting: SmallVec<[Box<MeterRecord>; 1]>,
    /// What was booked before it was reported.
    pub unreported: UsageCounts,
    /// Since when the store says that what it has of the tenant is damaged, on the clock of
    /// [`Env::now_ms`](crate::env::Env::now_ms); absent: it does not.
    damaged_ms: Option<Millis>,
    /// Whether the damage has lasted for too long.
    is_released: bool,
}

impl MeterBacklog {
    /// Adds a record that is complete.
    pub fn push(&mut self, record: Box<MeterRecord>) {
        self.waiting.push(record);
        // The first one may be booked already without our knowledge: it must stay as it is.
        if self.waiting.len() > WAITING_MAX {
            let old = self.waiting.remove(1);
            let next = &mut self.waiting[1];
            next.record.counts.add(&old.record.counts);
            next.reported.add(&old.reported);
        }
    }

    /// Takes the first record, which is booked.
    pub fn take_booked(&mut self) -> UsageRecord {
        let MeterRecord {
            record, reported, ..
        } = *self.waiting.remove(0);
        self.unreported.add(&record.counts.since(&reported));
        self.damaged_ms = None;
        self.is_released &= !self.waiting.is_empty();
        record
    }

    /// The store could not book the first record: what it has of the tenant is damaged.
    pub fn note_damage(&mut self, now_ms: Millis) {
        let since_ms = *self.damaged_ms.get_or_insert(now_ms);
        self.is_released |= !damage_holds_hours(since_ms, now_ms);
    }

    /// Whether what waits holds no hour any more. It does not begin to hold one again before all of it is booked.
    pub const fn is_released(&self) -> bool {
        self.is_released
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.unreported.is_zero()
    }
}
