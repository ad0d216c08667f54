//! Counts what no other part of the tenant sees: bytes, calls, sockets; and has it booked.

use protocol::{UsageHour, UsageMeter};

use super::Tenant;
use super::meter::{BookedRecord, UsageReport};
use crate::effect::TenantEffects;
use crate::env::{Env, Millis};
use crate::request::{FrameUsage, SentUsage};
use crate::store::StoreResult;

impl Tenant {
    /// A frame came from a connection.
    #[inline]
    pub(super) fn count_frame(&mut self, env: &Env<'_>, bytes: u32) {
        if bytes > 0 {
            self.meter.counts(env)[UsageMeter::BytesIn] += u64::from(bytes);
        }
    }

    /// Counts a frame that its session answered without the tenant.
    pub(crate) fn count_answered(&mut self, env: &Env<'_>, frame: &FrameUsage) {
        let counts = self.meter.counts(env);
        counts[UsageMeter::BytesIn] += u64::from(frame.bytes_in);
        counts[UsageMeter::BytesOut] += frame.bytes_out;
        if let Some(class) = frame.refused_message {
            self.meter.refuse_early(env, class);
        }
    }

    /// Counts frames that were put into queues without a receipt.
    #[inline]
    pub(crate) fn count_sent(&mut self, env: &Env<'_>, sent: SentUsage) {
        let counts = self.meter.counts(env);
        counts[UsageMeter::BytesOut] += sent.bytes;
        counts[UsageMeter::PartialsDelivered] += sent.partials;
    }

    /// Notes how many sockets there are, after whatever may have changed that.
    pub(crate) fn count_sockets(&mut self, env: &Env<'_>) {
        self.meter.set_sockets(env, self.members.sockets());
    }

    /// Has its usage booked, if that is due.
    pub(super) fn flush_usage_due(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let is_reading = self
            .quota
            .as_ref()
            .is_some_and(|quota| quota.is_reading(env));
        if is_reading && self.meter.postpone_flush(env) {
            return;
        }
        let is_due = self.meter.flush_due(env, self.receipts.tenant(), fx);
        let Some(quota) = self.quota.as_mut().filter(|_| is_due) else {
            return;
        };
        if !self.meter.is_booked() {
            quota.overtake_reading();
        }
        self.apply_quota(env, fx);
    }

    /// Takes the store's answer to a record, and then reads what the ledger has of the month.
    pub(super) fn usage_answered(
        &mut self,
        env: &Env<'_>,
        number: u64,
        reply: StoreResult,
        fx: &mut TenantEffects,
    ) {
        let booked = self
            .meter
            .answered(env, (self.receipts.tenant(), number), reply, fx);
        let Some(quota) = &mut self.quota else {
            return;
        };
        let Some(record) = booked else {
            // The month is read when it is booked: nobody waits for that while the store is away.
            quota.give_up();
            return self.let_in(env, fx);
        };
        quota.booked(&record);
        if self.meter.is_booked() {
            self.read_month(env, fx);
        }
    }

    /// Reads what the ledger has of the month, if the plan has allowances.
    pub(super) fn read_month(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        if let Some(quota) = &mut self.quota {
            quota.read(env, self.receipts.tenant(), fx);
        }
    }

    /// Takes what the ledger has of the month.
    pub(super) fn month_read(
        &mut self,
        env: &Env<'_>,
        number: u64,
        reply: StoreResult,
        fx: &mut TenantEffects,
    ) {
        if let Some(quota) = &mut self.quota {
            quota.answered(number, reply);
            self.apply_quota(env, fx);
            self.let_in(env, fx);
        }
    }

    /// Tells sockets of allowances that are reached, and closes those that spent ones do not allow.
    pub(super) fn apply_quota(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        self.tell_quota(env, fx);
        self.expel_spent(env, fx);
    }

    /// Has everything booked: the node ends.
    pub(crate) fn flush_usage(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        self.meter.flush_last(env, self.receipts.tenant(), fx);
    }

    /// Whether there is usage to report that the shard does not know of. From then on it knows.
    #[inline]
    pub(crate) fn take_unlisted_usage(&mut self) -> bool {
        self.meter.take_unlisted()
    }

    /// Whether there is usage to report.
    pub(crate) fn has_report(&self) -> bool {
        self.meter.has_report()
    }

    /// What the tenant used since the last report, and what of it is not booked.
    pub(crate) fn report_usage(&mut self, env: &Env<'_>) -> UsageReport {
        self.meter.report(env, self.receipts.tenant())
    }

    /// The first hour that has usage which is not booked.
    pub(crate) fn oldest_unbooked(&self, env: &Env<'_>) -> Option<UsageHour> {
        self.meter.oldest_unbooked(env)
    }

    /// When the oldest amount that is not booked was counted, on the clock of [`Env::now_ms`].
    pub(crate) fn unbooked_since(&self) -> Option<Millis> {
        self.meter.unbooked_since()
    }

    /// The last record that the store has, by its answer.
    pub(crate) fn booked(&self) -> Option<&BookedRecord> {
        self.meter.booked()
    }

    /// Whether it has usage that is not booked.
    pub(crate) fn has_unbooked(&self) -> bool {
        !self.meter.is_settled()
    }
}
