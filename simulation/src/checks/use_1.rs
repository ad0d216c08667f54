//! USE-1: what is counted is what happened, and it is booked once; a closed hour never changes.

use std::collections::BTreeMap;

use protocol::{OutboundKind, TenantId, UsageCounts, UsageHour, UsageMeter};
use router_core::Millis;
use router_core::store::HourUsage;
use router_core::store::usage::is_read_closed;

use super::RunObserver;
use crate::agenda::MachineProcess;

/// The guarantee's name in failures.
const USE_1: &str = "USE-1";
/// What the checker counts itself.
const SEEN: [UsageMeter; 2] = [UsageMeter::MessagesDelivered, UsageMeter::PartialsDelivered];

impl RunObserver {
    /// A frame is in the queue of a socket of a tenant.
    pub(crate) fn use_1_pushed(&mut self, machine: usize, tenant: usize, kind: OutboundKind) {
        let meter = match kind {
            OutboundKind::Message => UsageMeter::MessagesDelivered,
            OutboundKind::Partial => UsageMeter::PartialsDelivered,
            OutboundKind::Answer
            | OutboundKind::Refusal
            | OutboundKind::Pong
            | OutboundKind::Presence => return,
        };
        let unwritten = self.usage.unwritten.entry((machine, tenant)).or_default();
        unwritten[meter] += 1;
    }

    /// A machine reported what a tenant used.
    pub(crate) fn use_1_reported(&mut self, tenant: &TenantId, added: &UsageCounts) {
        let reported = self.usage.reported.entry(tenant.clone()).or_default();
        reported.add(added);
    }

    /// A process died before it reported this, the time of its open sockets included.
    pub(crate) fn use_1_unreported(&mut self, tenant: &TenantId, added: &UsageCounts) {
        let unreported = self.usage.unreported.entry(tenant.clone()).or_default();
        unreported.add(added);
    }

    /// A machine wrote its journal.
    pub(crate) fn use_1_written(&mut self, machine: usize) {
        for (tenant, counts) in self.use_1_take(machine) {
            let happened = self.usage.happened.entry(tenant).or_default();
            happened.add(&counts);
        }
    }

    /// A process ends: what it had not written is lost.
    pub(super) fn use_1_ends(&mut self, process: MachineProcess) {
        self.use_1_take(process.machine);
    }

    fn use_1_take(&mut self, machine: usize) -> Vec<(usize, UsageCounts)> {
        let (of_machine, others) = std::mem::take(&mut self.usage.unwritten)
            .into_iter()
            .partition(|((of, _), _)| *of == machine);
        self.usage.unwritten = others;
        let of_machine: BTreeMap<_, _> = of_machine;
        let counts = of_machine.into_iter();
        counts
            .map(|((_, tenant), counts)| (tenant, counts))
            .collect()
    }

    /// The store lost data.
    pub(crate) fn use_1_lost(&mut self) {
        self.usage.is_lossy = true;
        self.usage.closed.clear();
        self.quota.accepted.clear();
    }

    /// Looks at a tenant's hours, while things happen. `flushed`: what the readers of the ledger know.
    pub(crate) fn use_1_look(
        &mut self,
        tenant: &TenantId,
        hours: &[(UsageHour, HourUsage)],
        (now_ms, flushed): (Millis, UsageHour),
    ) {
        for (hour, usage) in hours {
            if let Err(fault) = usage.counts.conserve() {
                self.fail(USE_1, &format!("{tenant}, {hour}: {fault}"));
            }
            if !usage.is_intact() {
                self.fail(
                    USE_1,
                    &format!("{tenant}, {hour}: the check number is wrong"),
                );
            }
        }
        let is_closed = |hour: UsageHour| is_read_closed(hour, now_ms, flushed);
        // An hour without usage is one that could get some.
        let from = UsageHour::of(now_ms).minus(2);
        let numbers = from.number()..=from.number() + 2;
        for hour in numbers.filter_map(UsageHour::from_number) {
            let found = hours.iter().find(|(of, _)| *of == hour);
            let usage = found.map(|(_, usage)| *usage).unwrap_or_default();
            if !is_closed(hour) {
                continue;
            }
            let key = (tenant.clone(), hour);
            let first = *self.usage.closed.entry(key).or_insert(usage);
            if first != usage {
                let what = format!("{tenant}, {hour}: a closed hour was {first:?}, is {usage:?}");
                self.fail(USE_1, &what);
            }
        }
    }

    /// Everything is booked: the ledger has what was reported, and that is what happened.
    pub(crate) fn use_1_booked(
        &mut self,
        (at, tenant): (usize, &TenantId),
        hours: &[(UsageHour, HourUsage)],
    ) {
        let mut booked = UsageCounts::default();
        for (_, usage) in hours {
            booked.add(&usage.counts);
        }
        let happened = self.usage.happened.get(&at).copied().unwrap_or_default();
        let reported = self.usage.reported.get(tenant).copied().unwrap_or_default();
        let unreported = self.usage.unreported.get(tenant);
        let unreported = unreported.copied().unwrap_or_default();
        for meter in UsageMeter::ALL.iter().copied() {
            let (seen, told, in_ledger) = (happened[meter], reported[meter], booked[meter]);
            if SEEN.contains(&meter) && seen != told {
                let what = format!("{tenant}: {meter} is {told}, and {seen} happened");
                self.fail(USE_1, &what);
            }
            let has_all = in_ledger >= told || self.usage.is_lossy;
            let most = told + unreported[meter];
            let is_right = has_all && in_ledger <= most;
            if !is_right {
                let what = format!("{tenant}: {meter} is {in_ledger} in the ledger, not {told}");
                self.fail(USE_1, &what);
            }
        }
    }
}
