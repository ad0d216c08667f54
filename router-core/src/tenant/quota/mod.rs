//! The monthly allowances of the tenant's plan: how much of them is used, and what is refused for that.
//!
//! ```text
//!  used = what the ledger has of the month + what this node counted and has not booked
//!
//!  all is booked ─▶ Ask(Read the hours that may still change) ─▶ answered: what the ledger has of them
//! ```
//!
//! The ledger is read only while nothing of this node is on its way to it, so nothing is in both terms. What
//! other nodes book is seen with the next reading: a tenant exceeds an allowance by what each of them counts
//! in two `usage_flush`, and by messages that are not answered yet.
//!
//! A tenant without allowances has no [`MonthQuota`], and pays one comparison a message.
//!
//! | file | has |
//! | --- | --- |
//! | `mod.rs` | what is used, and what is spent |
//! | `reading.rs` | how the ledger is read |
//! | `telling.rs` | how sockets are told of soft allowances |
//! | `refusing.rs` | what the tenant refuses |

mod reading;
mod refusing;
mod telling;

use std::sync::Arc;

use protocol::plan::QuotaStatus;
use protocol::{Allowances, SpentAllowance, UsageCounts, UsageHour, UsageMeter};

use super::meter::TenantMeter;
use crate::env::{Env, Millis};

/// What is refused when the allowance of a meter is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuotaUse {
    /// Messages, partials and typing.
    Sending,
    /// Requests of the HTTP API.
    Calling,
    /// Sockets that hold no bot.
    ClientSocket,
    /// Sockets that hold bots.
    BotSocket,
}

impl QuotaUse {
    /// What is refused for a meter.
    const fn of(meter: UsageMeter) -> Self {
        match meter {
            UsageMeter::MessagesSent
            | UsageMeter::MessagesAccepted
            | UsageMeter::MessagesDuplicate
            | UsageMeter::MessagesRefusedClient
            | UsageMeter::MessagesRefusedLimit
            | UsageMeter::MessagesRefusedRecipient
            | UsageMeter::MessagesRefusedPlatform
            | UsageMeter::MessagesDelivered
            | UsageMeter::PartialsDelivered
            | UsageMeter::BytesIn
            | UsageMeter::BytesOut => Self::Sending,
            UsageMeter::HttpRequests => Self::Calling,
            UsageMeter::ConnectionSecondsClient => Self::ClientSocket,
            UsageMeter::ConnectionSecondsBot => Self::BotSocket,
        }
    }
}

/// What a tenant used in this calendar month (UTC), beside its allowances.
#[derive(Debug)]
pub(super) struct MonthQuota {
    allowances: Arc<Allowances>,
    /// The first hour of the month.
    month: UsageHour,
    /// What the ledger has of hours of the month that are closed.
    closed: UsageCounts,
    /// What it has of the others.
    open: UsageCounts,
    reading: LedgerReading,
    /// The day on which the sockets were told last, by meter. A new month begins with another day.
    told: Vec<(UsageMeter, UsageHour)>,
}

/// How far the ledger was read.
#[derive(Debug)]
struct LedgerReading {
    /// The first hour that may still change.
    from: UsageHour,
    /// The reading whose answer counts; absent: none is under way, or it was overtaken.
    asked: Option<u64>,
    /// When it was asked for, on the clock of [`Env::now_ms`].
    asked_ms: Millis,
    last_number: u64,
    /// Whether one was answered, or failed.
    is_over: bool,
}

impl LedgerReading {
    /// Nothing of a month was read. The numbers begin with the time, so that no answer to a reading before these
    /// allowances is taken for one of these readings.
    fn new(env: &Env<'_>, month: UsageHour) -> Self {
        Self {
            from: month,
            asked: None,
            asked_ms: 0,
            last_number: env.now_ms,
            is_over: false,
        }
    }
}

impl MonthQuota {
    /// The month as if nothing was used yet; absent if the plan has no allowances.
    pub fn new(env: &Env<'_>, allowances: &Arc<Allowances>) -> Option<Box<Self>> {
        let month = UsageHour::of(env.unix_ms).month();
        let new = || {
            Box::new(Self {
                allowances: Arc::clone(allowances),
                month,
                closed: UsageCounts::default(),
                open: UsageCounts::default(),
                reading: LedgerReading::new(env, month),
                told: Vec::new(),
            })
        };
        (!allowances.is_empty()).then(new)
    }

    /// Takes other allowances. What is known of the month's use does not depend on them, and stays.
    pub fn set_allowances(&mut self, allowances: &Arc<Allowances>) {
        self.allowances = Arc::clone(allowances);
        self.told.clear();
    }

    /// The allowances.
    pub fn allowances(&self) -> &Arc<Allowances> {
        &self.allowances
    }

    /// The hard allowance that is used up and for which a use is refused; the first in the order of the
    /// table of meters.
    pub fn spent(
        &self,
        env: &Env<'_>,
        meter: &TenantMeter,
        asked: QuotaUse,
    ) -> Option<SpentAllowance> {
        let mut hard = self.hard(env, meter);
        let (meter, ..) =
            hard.find(|(of, used, hard)| QuotaUse::of(*of) == asked && used >= hard)?;
        let resets_ms = self.resets_ms(env);
        Some(SpentAllowance { meter, resets_ms })
    }

    /// The soft allowances that are reached.
    pub fn reached<'a>(
        &'a self,
        env: &Env<'_>,
        meter: &'a TenantMeter,
    ) -> impl Iterator<Item = QuotaStatus> + 'a {
        let (month, resets_at) = (self.month_at(env), self.resets_ms(env));
        self.allowances.iter().filter_map(move |(of, allowance)| {
            let (soft, used) = (allowance.soft?, self.used(month, meter, of));
            (used >= soft).then(|| QuotaStatus {
                meter: of,
                used: of.whole(used),
                allowed: of.whole(soft),
                hard: allowance.hard.map(|hard| of.whole(hard)),
                resets_at,
            })
        })
    }

    /// The hard allowances: of which meter, how much of it is used, and how much may be. In the unit of the
    /// ledger.
    pub fn hard<'a>(
        &'a self,
        env: &Env<'_>,
        meter: &'a TenantMeter,
    ) -> impl Iterator<Item = (UsageMeter, u64, u64)> + 'a {
        let month = self.month_at(env);
        let allowances = self.allowances.iter();
        allowances.filter_map(move |(of, allowance)| {
            Some((of, self.used(month, meter, of), allowance.hard?))
        })
    }

    /// What is used of a month. Of one that has begun since the ledger was read, that is what this node counted.
    fn used(&self, month: UsageHour, meter: &TenantMeter, of: UsageMeter) -> u64 {
        let booked = match month == self.month {
            true => self.closed[of].saturating_add(self.open[of]),
            false => 0,
        };
        booked.saturating_add(meter.unbooked(month, of))
    }

    /// The present month. A clock that is set back does not begin an old one again.
    fn month_at(&self, env: &Env<'_>) -> UsageHour {
        self.month.max(UsageHour::of(env.unix_ms).month())
    }

    /// When the next month begins, Unix milliseconds.
    fn resets_ms(&self, env: &Env<'_>) -> Millis {
        self.month_at(env).next_month().start_ms()
    }

    /// Whether the ledger said what was used of the month, or could not. Until then, a tenant lets nobody in.
    pub const fn is_known(&self) -> bool {
        self.reading.is_over
    }

    /// The ledger could not be read.
    pub fn give_up(&mut self) {
        self.reading.is_over = true;
    }
}
