//! Takes complete records to the store, one at a time and in order.

use protocol::{TenantId, UsageHour, UsageMeter};

use super::{BookedRecord, TenantMeter};
use crate::effect::{RouterFact, TenantEffect, TenantEffects, Ticket};
use crate::env::{Env, Millis};
use crate::store::{
    StoreFailure, StoreQuery, StoreReply, StoreRequest, StoreResult, UsageQuery, UsageRecord,
    UsageReply,
};

/// Distinguishes the tickets of records from those of the directory's questions, which count from 1.
const TICKET_BIT: u64 = 1 << 63;
/// How long a flush is put off at a time.
const POSTPONED_MS: Millis = 100;

impl TenantMeter {
    /// When it wants [`flush`](Self::flush_due).
    pub fn next_wakeup(&self) -> Millis {
        self.flush_ms
    }

    /// Whether everything that was counted is booked.
    pub fn is_settled(&self) -> bool {
        let open = self.open.as_ref();
        self.is_booked() && open.is_none_or(|open| open.record.counts.is_zero())
    }

    /// The first hour that has something which is not booked; absent if there is nothing, or only what the damaged
    /// usage of the store keeps from being booked: that is late once it is repaired.
    pub fn oldest_unbooked(&self, env: &Env<'_>) -> Option<UsageHour> {
        if self
            .backlog
            .as_ref()
            .is_some_and(|backlog| backlog.is_released())
        {
            return None;
        }
        // The time of open sockets since they were timed is in no record yet.
        let timed = (!self.sockets.is_zero()).then(|| UsageHour::of(self.timed_unix_ms(env)));
        let recorded = self.oldest().map(|oldest| oldest.record.hour);
        recorded.into_iter().chain(timed).min()
    }

    /// When the oldest amount that is not booked was counted, on the clock of [`Env::now_ms`]; absent: all is
    /// booked.
    pub fn unbooked_since(&self) -> Option<Millis> {
        self.oldest().map(|oldest| oldest.begun_ms)
    }

    /// Puts off a flush that is due. Says whether one was.
    pub fn postpone_flush(&mut self, env: &Env<'_>) -> bool {
        let is_due = env.now_ms >= self.flush_ms;
        if is_due {
            self.flush_ms = env.now_ms + POSTPONED_MS;
        }
        is_due
    }

    /// Flushes within the time between two flushes, which may have become shorter.
    pub fn flush_within(&mut self, env: &Env<'_>) {
        self.flush_ms = self.flush_ms.min(env.now_ms + env.settings.usage_flush_ms);
    }

    /// Flushes if that is due. Says whether it was.
    pub fn flush_due(&mut self, env: &Env<'_>, id: &TenantId, fx: &mut TenantEffects) -> bool {
        let is_due = env.now_ms >= self.flush_ms;
        if is_due {
            self.flush_ms = env.now_ms + env.settings.usage_flush_ms;
            self.flush(env, id, fx);
        }
        is_due
    }

    /// Whether nothing is on its way to the store.
    pub fn is_booked(&self) -> bool {
        self.waiting().is_empty()
    }

    /// What of a meter is not booked, of the hours from `from` on.
    pub fn unbooked(&self, from: UsageHour, meter: UsageMeter) -> u64 {
        let all = self.waiting().iter().chain(&self.open);
        let all = all.filter(|it| it.record.hour >= from);
        all.map(|it| it.record.counts[meter]).sum()
    }

    /// Completes what is counted until now, and asks the store to book it.
    pub fn flush(&mut self, env: &Env<'_>, id: &TenantId, fx: &mut TenantEffects) {
        self.count_time(env);
        // While a record waits, what comes is gathered in the next one: one a tenant, and one an hour.
        if self.is_booked() {
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
        let first = self.waiting().first();
        let Some(first) = first.filter(|_| !self.is_asking) else {
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
    /// may have it. Returns the record if it is booked.
    pub fn answered(
        &mut self,
        env: &Env<'_>,
        (id, number): (&TenantId, u64),
        reply: StoreResult,
        fx: &mut TenantEffects,
    ) -> Option<UsageRecord> {
        let backlog = self.backlog.as_mut()?;
        if TICKET_BIT | backlog.waiting.first()?.record.seq != number {
            return None;
        }
        self.is_asking = false;
        let fact = match reply.and_then(StoreReply::into_usage) {
            Ok(UsageReply::Booked { is_late }) => RouterFact::UsageBooked { is_late },
            Ok(UsageReply::Hours { .. } | UsageReply::Seen(_))
            | Err(StoreFailure::Refused(_) | StoreFailure::Lost) => {
                fx.push(TenantEffect::Note(RouterFact::UsageNotBooked));
                return None;
            }
            Err(StoreFailure::Damaged) => {
                backlog.note_damage(env.now_ms);
                fx.push(TenantEffect::Note(RouterFact::UsageNotBooked));
                return None;
            }
        };
        fx.push(TenantEffect::Note(fact));
        let record = backlog.take_booked();
        self.backlog.take_if(|backlog| backlog.is_empty());
        self.indexed = Some(record.hour.day());
        let booked = BookedRecord {
            boot: record.boot,
            seq: record.seq,
            hour: UsageHour::of(env.unix_ms),
        };
        match &mut self.booked {
            Some(last) => **last = booked,
            None => self.booked = Some(Box::new(booked)),
        }
        self.changed = true;
        self.ask(env, id, fx);
        Some(record)
    }
}
