//! Reads what the ledger has of the month: hours that are closed once, the others again and again.

use protocol::{TenantId, UsageCounts, UsageHour};

use super::MonthQuota;
use crate::effect::{TenantEffect, TenantEffects, Ticket};
use crate::env::{Env, Millis};
use crate::store::usage::first_open_hour;
use crate::store::{
    StoreQuery, StoreReply, StoreRequest, StoreResult, UsageQuery, UsageRecord, UsageReply,
};

/// Distinguishes the tickets of readings from those of records and of the directory's questions.
const TICKET_BIT: u64 = 1 << 62;
/// For how long a flush waits for a reading. Without that, a store that takes longer for a month than there is
/// between two flushes would never have a reading answered in time.
const READING_MAX_MS: Millis = 10_000;

impl MonthQuota {
    /// Whether a ticket is that of a reading.
    pub const fn is_ticket(number: u64) -> bool {
        number >> 62 == 1
    }

    /// Reads the hours that may still change. Nothing of this node may be on its way to the ledger.
    pub fn read(&mut self, env: &Env<'_>, id: &TenantId, fx: &mut TenantEffects) {
        self.begin_month(UsageHour::of(env.unix_ms).month());
        let reading = &mut self.reading;
        reading.last_number += 1;
        reading.asked = Some(reading.last_number);
        reading.asked_ms = env.now_ms;
        let ticket = Ticket {
            tenant: id.clone(),
            number: TICKET_BIT | reading.last_number,
        };
        let request = StoreRequest {
            tenant: id.clone(),
            now_ms: env.unix_ms,
            query: StoreQuery::Usage(UsageQuery::Read {
                from: reading.from,
                // The hour may change until the store reads it, and its clock be ahead.
                to: UsageHour::of(env.unix_ms).plus(2),
            }),
        };
        let request = Box::new(request);
        fx.push(TenantEffect::Ask { ticket, request });
    }

    /// Whether a reading is under way, and may be answered still. A record would overtake it.
    pub fn is_reading(&self, env: &Env<'_>) -> bool {
        self.reading.asked.is_some() && env.now_ms < self.reading.asked_ms + READING_MAX_MS
    }

    /// A record is on its way to the ledger: whether a reading that is under way has it is unknown.
    pub fn overtake_reading(&mut self) {
        self.reading.asked = None;
    }

    /// The ledger has a record, and the meter has it no more.
    pub fn booked(&mut self, record: &UsageRecord) {
        self.begin_month(record.hour.month());
        if record.hour >= self.month {
            self.open.add(&record.counts);
        }
    }

    /// Takes the answer to a reading. Without one, the next reading is asked for with the next record.
    pub fn answered(&mut self, number: u64, reply: StoreResult) {
        if self.reading.asked != Some(number & !TICKET_BIT) {
            return;
        }
        self.reading.asked = None;
        self.reading.is_over = true;
        let Ok(UsageReply::Hours { as_of_ms, hours }) = reply.and_then(StoreReply::into_usage)
        else {
            return;
        };
        let (from, next_month) = (self.reading.from, self.month.next_month());
        let of_month = hours.into_iter();
        let of_month: Vec<_> = of_month
            .filter(|(hour, _)| (from..next_month).contains(hour))
            .collect();
        let mut damaged = of_month.iter().filter(|(_, usage)| usage.is_damaged);
        let damaged = damaged.next().map(|(hour, _)| *hour);
        // A damaged hour is read again, as it may be repaired.
        let first_open = first_open_hour(as_of_ms);
        let first_unread = first_open.min(damaged.unwrap_or(next_month));
        let mut known = self.closed;
        known.add(&self.open);
        self.open = UsageCounts::default();
        for (hour, usage) in of_month {
            match hour < first_unread {
                true => self.closed.add(&usage.counts),
                false => self.open.add(&usage.counts),
            }
        }
        if damaged.is_some() {
            // What was known of a damaged hour still counts.
            self.open.raise(&known.since(&self.closed));
        }
        self.reading.from = from.max(first_unread);
    }

    /// Begins a month, unless it is an old one.
    fn begin_month(&mut self, month: UsageHour) {
        if month <= self.month {
            return;
        }
        self.month = month;
        self.closed = UsageCounts::default();
        self.open = UsageCounts::default();
        self.reading.from = month;
        self.reading.asked = None;
    }
}
