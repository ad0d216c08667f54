//! Takes complete records to the store, one at a time and in order.

use protocol::{TenantId, UsageHour};

use super::{MeterRecord, TenantMeter};
use crate::effect::{RouterFact, TenantEffect, TenantEffects, Ticket};
use crate::env::{Env, Millis};
use crate::store::{
    StoreFailure, StoreQuery, StoreReply, StoreRequest, StoreResult, UsageQuery, UsageReply,
};

/// Distinguishes the tickets of records from those of the directory's questions, which count from 1.
const TICKET_BIT: u64 = 1 << 63;

impl TenantMeter {
    /// When it wants [`flush`](Self::flush_due).
    pub fn next_wakeup(&self) -> Millis {
        self.flush_ms
    }

    /// Whether everything that was counted is booked.
    pub fn is_settled(&self) -> bool {
        let open = self.open.as_ref();
        self.waiting.is_none() && open.is_none_or(|open| open.record.counts.is_zero())
    }

    /// The first hour that has something which is not booked; absent if there is nothing.
    pub fn oldest_unbooked(&self, env: &Env<'_>) -> Option<UsageHour> {
        let waiting = self.waiting.as_ref().and_then(|waiting| waiting.front());
        let oldest = waiting.or(self.open.as_deref());
        // The time of open sockets since they were timed is in no record yet.
        let timed = (!self.sockets.is_zero()).then(|| UsageHour::of(self.timed_unix_ms(env)));
        let recorded = oldest.map(|oldest| oldest.record.hour);
        recorded.into_iter().chain(timed).min()
    }

    /// When the oldest amount that is not booked was counted, on the clock of [`Env::now_ms`]; absent: all is
    /// booked.
    pub fn unbooked_since(&self) -> Option<Millis> {
        let waiting = self.waiting.as_ref().and_then(|waiting| waiting.front());
        let oldest = waiting.or(self.open.as_deref());
        oldest.map(|oldest| oldest.begun_ms)
    }

    /// Flushes if that is due.
    pub fn flush_due(&mut self, env: &Env<'_>, id: &TenantId, fx: &mut TenantEffects) {
        if env.now_ms >= self.flush_ms {
            self.flush_ms = env.now_ms + env.settings.usage_flush_ms;
            self.flush(env, id, fx);
        }
    }

    /// Completes what is counted until now, and asks the store to book it.
    pub fn flush(&mut self, env: &Env<'_>, id: &TenantId, fx: &mut TenantEffects) {
        self.count_time(env);
        // While a record waits, what comes is gathered in the next one: one a tenant, and one an hour.
        if self.waiting.is_none() {
            self.complete();
        }
        self.ask(env, id, fx);
    }

    /// The node ends: completes all that is counted, and asks the store to book it.
    pub fn flush_last(&mut self, env: &Env<'_>, id: &TenantId, fx: &mut TenantEffects) {
        self.count_time(env);
        self.complete();
        self.ask(env, id, fx);
    }

    fn ask(&mut self, env: &Env<'_>, id: &TenantId, fx: &mut TenantEffects) {
        let waiting = self.waiting.as_ref().and_then(|waiting| waiting.front());
        let Some(first) = waiting.filter(|_| !self.is_asking) else {
            return;
        };
        let ticket = Ticket {
            tenant: id.clone(),
            number: TICKET_BIT | first.record.seq,
        };
        let request = StoreRequest {
            tenant: id.clone(),
            now_ms: env.unix_ms,
            query: StoreQuery::Usage(UsageQuery::Book {
                record: Box::new(first.record.clone()),
                is_first_of_day: self.indexed != Some(first.record.hour.day()),
            }),
        };
        self.is_asking = true;
        let request = Box::new(request);
        fx.push(TenantEffect::Ask { ticket, request });
    }

    /// Whether a ticket is that of a record.
    pub const fn is_ticket(number: u64) -> bool {
        number & TICKET_BIT != 0
    }

    /// Takes the store's answer. Without one, the same record is booked again with the next flush: the store
    /// may have it.
    pub fn answered(
        &mut self,
        env: &Env<'_>,
        (id, number): (&TenantId, u64),
        reply: StoreResult,
        fx: &mut TenantEffects,
    ) {
        let Some(waiting) = &mut self.waiting else {
            return;
        };
        let first = waiting.front();
        if first.is_none_or(|first| TICKET_BIT | first.record.seq != number) {
            return;
        }
        self.is_asking = false;
        let fact = match reply.and_then(StoreReply::into_usage) {
            Ok(UsageReply::Booked { is_late }) => RouterFact::UsageBooked { is_late },
            Ok(UsageReply::Hours { .. } | UsageReply::Seen(_))
            | Err(StoreFailure::Refused(_) | StoreFailure::Lost) => {
                return fx.push(TenantEffect::Note(RouterFact::UsageNotBooked));
            }
        };
        fx.push(TenantEffect::Note(fact));
        if let Some(MeterRecord {
            record, reported, ..
        }) = waiting.pop_front()
        {
            self.indexed = Some(record.hour.day());
            self.booked_seq = record.seq;
            if record.counts != reported {
                let unreported = self.unreported.get_or_insert_default();
                unreported.add(&record.counts.since(&reported));
            }
        }
        if waiting.is_empty() {
            self.waiting = None;
        }
        self.changed = true;
        self.ask(env, id, fx);
    }
}
