//! A map from tenants to what they have on this node; each shard is locked as one.
//!
//! The shard only finds the tenant and keeps its alarm clock; everything of a tenant is inside
//! [`Tenant`], so isolation, limits and forgetting a tenant are the same boundary.

mod booked_memory;
mod input;
mod tenant_table;

use std::collections::BTreeSet;

use protocol::lane::Verdict;
use protocol::message::SendKind;
use protocol::{Envelope, TenantId, UsageHour};

use crate::effect::{Outcome, Receipt, TenantEffect, TenantEffects, Ticket};
use crate::env::{Env, Millis};
use crate::ids::{HashKeys, TableKeys};
use crate::membership::NodeView;
use crate::request::{LeaveRequest, SentUsage};
use crate::tenant::Tenant;

use booked_memory::BookedMemory;
pub use input::ShardInput;
use tenant_table::TenantTable;

pub use crate::tenant::{
    BookedRecord, Entries, LimitUse, Replica, ReplicaBot, SocketCounts, UnbookedUsage, UsageReport,
};

/// Some of a node's tenants.
#[derive(Debug)]
pub struct Shard {
    tenants: TenantTable,
    alarms: BTreeSet<(Millis, TenantId)>,
    /// Tenants that have usage to report, each once.
    unreported: Vec<TenantId>,
    /// Reports of tenants that were forgotten before they were reported.
    last_reports: Vec<UsageReport>,
    /// The last booked records of tenants that were forgotten.
    booked: BookedMemory,
    keys: HashKeys,
}

impl Shard {
    /// An empty shard. The keys should be random per process.
    pub fn new(keys: HashKeys) -> Self {
        Self {
            tenants: TenantTable::new(TableKeys::new(keys)),
            alarms: BTreeSet::new(),
            unreported: Vec::new(),
            last_reports: Vec::new(),
            booked: BookedMemory::default(),
            keys,
        }
    }

    /// How many tenants it holds.
    pub fn tenants(&self) -> usize {
        self.tenants.len()
    }

    /// How much its replicas of their directories hold.
    pub fn entries(&self) -> Entries {
        self.tenants.iter().map(|tenant| tenant.entries()).sum()
    }

    /// How many of its sockets the first secret verified, and how many another.
    pub fn sockets_by_secret(&self) -> [u64; 2] {
        let each = self.tenants.iter().map(|tenant| tenant.sockets_by_secret());
        each.fold([0, 0], |[first, other], [one, more]| {
            [first + u64::from(one), other + u64::from(more)]
        })
    }

    /// The tenants of which sockets are open that a secret other than the first verified, and how
    /// many; in no order.
    pub fn using_old_secrets(&self) -> impl Iterator<Item = (&TenantId, u32)> {
        let each = self
            .tenants
            .iter()
            .map(|tenant| (tenant.id(), tenant.sockets_by_secret()));
        each.filter_map(|(id, [_, other])| (other > 0).then_some((id, other)))
    }

    /// What it has of a tenant, on a node with this view; absent if that is not loaded.
    pub fn replica(&self, tenant: &TenantId, nodes: &NodeView) -> Option<Replica> {
        self.tenants.get(tenant)?.replica(nodes)
    }

    /// Whether it has a tenant, loaded or about to be.
    pub fn has(&self, tenant: &TenantId) -> bool {
        self.tenants.get(tenant).is_some()
    }

    /// How much of its limits a tenant uses now; absent if it is not here.
    pub fn limit_uses(&self, env: &Env<'_>, tenant: &TenantId) -> Option<Vec<LimitUse>> {
        let tenant = self.tenants.get(tenant)?;
        Some(tenant.limit_uses(env))
    }

    /// Reports the usage of each tenant of which something changed since its last report.
    pub fn report_usage(&mut self, env: &Env<'_>, mut report: impl FnMut(UsageReport)) {
        for last in std::mem::take(&mut self.last_reports) {
            report(last);
        }
        for id in std::mem::take(&mut self.unreported) {
            if let Some(tenant) = self.tenants.find(&id) {
                report(tenant.report_usage(env));
            }
        }
    }

    /// Reports the usage of every tenant that has something which is not booked, or sockets; in no order.
    pub fn report_all_usage(&mut self, env: &Env<'_>, mut report: impl FnMut(UsageReport)) {
        self.unreported.clear();
        for last in std::mem::take(&mut self.last_reports) {
            report(last);
        }
        for tenant in self.tenants.iter_mut() {
            report(tenant.report_usage(env));
        }
    }

    /// The first hour that has usage which is not booked; `None`: all is booked.
    pub fn oldest_unbooked(&self, env: &Env<'_>) -> Option<UsageHour> {
        let tenants = self.tenants.iter();
        let oldest = tenants.filter_map(|tenant| tenant.oldest_unbooked(env));
        oldest.min()
    }

    /// When the oldest amount that is not booked was counted, on the clock of [`Env::now_ms`]; `None`: all is
    /// booked.
    pub fn unbooked_since(&self) -> Option<Millis> {
        let tenants = self.tenants.iter();
        tenants.filter_map(|tenant| tenant.unbooked_since()).min()
    }

    /// The last record of each tenant that the store has, by its answer; in no order. Of tenants that are
    /// forgotten, only the last 512 are known.
    pub fn booked(&self) -> impl Iterator<Item = (&TenantId, &BookedRecord)> {
        let here = self.tenants.iter();
        let here = here.filter_map(|tenant| Some((tenant.id(), tenant.booked()?)));
        let newer = |id| self.tenants.get(id).and_then(Tenant::booked).is_some();
        here.chain(self.booked.iter().filter(move |(id, _)| !newer(id)))
    }

    /// Whether there is usage that is not booked, the time of open sockets left out.
    pub fn has_unbooked(&self) -> bool {
        self.tenants.iter().any(|tenant| tenant.has_unbooked())
    }

    /// When it wants [`ShardInput::Wake`], Unix milliseconds.
    pub fn next_wakeup(&self) -> Option<Millis> {
        self.alarms.first().map(|(at_ms, _)| *at_ms)
    }

    /// Takes one input and says what must be done about it.
    pub fn handle(&mut self, env: &Env<'_>, input: ShardInput, fx: &mut TenantEffects) {
        match input {
            ShardInput::Join(join) => {
                let id = join.tenant().clone();
                let new = || Box::new(Tenant::new(id.clone(), self.keys, env, fx));
                let tenant = self.tenants.find_or_insert(&id, new);
                tenant.join(env, *join, fx);
                follow_up(env, (&mut self.alarms, &mut self.unreported), tenant);
            }
            ShardInput::Leave(LeaveRequest { tenant, conn }) => {
                self.with(env, &tenant, |tenant| tenant.leave(env, conn, fx));
            }
            ShardInput::Route(route) => {
                let Some(tenant) = self.tenants.find(route.tenant()) else {
                    return;
                };
                tenant.route(env, route, fx);
                follow_up_message(&mut self.unreported, tenant);
            }
            ShardInput::Request(request) => {
                let id = request.tenant().clone();
                self.with(env, &id, |tenant| tenant.request(env, *request, fx));
            }
            ShardInput::Reply {
                ticket: Ticket { tenant, number },
                reply,
            } => {
                self.with(env, &tenant, |tenant| tenant.reply(env, number, reply, fx));
            }
            ShardInput::Policy { tenant, policy } => {
                self.with(env, &tenant, |tenant| tenant.policy(env, policy, fx));
            }
            ShardInput::Event { tenant, event } => {
                if self.tenants.get(&tenant).is_some() {
                    self.with(env, &tenant, |tenant| tenant.event(env, event, fx));
                } else {
                    // A question of a tenant that is forgotten since has subscribed it again.
                    fx.push(TenantEffect::Unload(tenant));
                }
            }
            ShardInput::Room { tenant, conn } => {
                self.with(env, &tenant, |tenant| tenant.room(env, conn, fx));
            }
            ShardInput::Inbound(envelope) => self.inbound(env, *envelope, fx),
            ShardInput::Settled { receipt, outcome } => self.settled(env, &receipt, outcome, fx),
            ShardInput::Decided { parcel, outcome } => {
                let found = self.tenants.find(parcel.tenant());
                if let Some(tenant) = found {
                    tenant.decided(env, &parcel, outcome, fx);
                    follow_up_message(&mut self.unreported, tenant);
                }
            }
            ShardInput::Answered(frame) => {
                let found = self.tenants.find(&frame.tenant);
                if let Some(tenant) = found {
                    tenant.count_answered(env, &frame);
                    follow_up_message(&mut self.unreported, tenant);
                }
            }
            ShardInput::NodeEvicted(boot) => {
                self.for_each(env, |tenant| tenant.node_evicted(env, boot, fx))
            }
            ShardInput::Rejoined => self.for_each(env, |tenant| tenant.rejoined(env, fx)),
            ShardInput::Resync => self.for_each(env, |tenant| tenant.compare_soon(env)),
            ShardInput::Reconfigured => self.for_each(env, |tenant| tenant.reconfigured(env, fx)),
            ShardInput::FlushUsage => self.for_each(env, |tenant| tenant.flush_usage(env, fx)),
            ShardInput::Wake => self.wake(env, fx),
        }
    }

    /// Counts frames that were put into queues without a receipt, of the tenant that the last input was for.
    #[inline]
    pub(crate) fn count_sent(&mut self, env: &Env<'_>, sent: SentUsage) {
        if let Some(tenant) = self.tenants.last() {
            tenant.count_sent(env, sent);
            follow_up_message(&mut self.unreported, tenant);
        }
    }

    /// Nobody of a tenant that is not in memory is here.
    fn inbound(&mut self, env: &Env<'_>, envelope: Envelope, fx: &mut TenantEffects) {
        if let Some(tenant) = self.tenants.find(&envelope.tenant) {
            tenant.inbound(env, envelope, fx);
            follow_up_message(&mut self.unreported, tenant);
        } else if envelope.message.kind == SendKind::Message {
            fx.push(TenantEffect::Decided(Some(Verdict::Offline)));
        }
    }

    fn for_each(&mut self, env: &Env<'_>, mut then: impl FnMut(&mut Tenant)) {
        let mut ids: Vec<TenantId> = self.tenants.iter().map(|it| it.id().clone()).collect();
        ids.sort_unstable();
        for id in ids {
            self.with(env, &id, &mut then);
        }
    }

    fn settled(
        &mut self,
        env: &Env<'_>,
        Receipt { tenant, number }: &Receipt,
        outcome: Outcome,
        fx: &mut TenantEffects,
    ) {
        let Some(tenant) = self.tenants.find(tenant) else {
            return;
        };
        if tenant.settled(env, *number, outcome, fx) {
            follow_up_message(&mut self.unreported, tenant);
        } else {
            tenant.presence_settled(env, *number, outcome, fx);
            follow_up(env, (&mut self.alarms, &mut self.unreported), tenant);
        }
    }

    /// Wakes the one tenant that has waited longest, so that one hold of the lock stays short; the
    /// caller comes back while [`next_wakeup`](Self::next_wakeup) is due.
    fn wake(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let Some((at_ms, id)) = self.alarms.pop_first() else {
            return;
        };
        if at_ms > env.now_ms {
            self.alarms.insert((at_ms, id));
            return;
        }
        let Some(tenant) = self.tenants.find(&id) else {
            return;
        };
        tenant.alarm_ms = Millis::MAX;
        if tenant.is_over(env) {
            if let Some(booked) = tenant.booked() {
                self.booked.insert(id.clone(), *booked);
            }
            if tenant.has_report() {
                self.last_reports.push(tenant.report_usage(env));
            }
            self.tenants.remove(&id);
            fx.push(TenantEffect::Unload(id));
            return;
        }
        tenant.wake(env, fx);
        follow_up(env, (&mut self.alarms, &mut self.unreported), tenant);
    }

    fn with(&mut self, env: &Env<'_>, id: &TenantId, then: impl FnOnce(&mut Tenant)) {
        let Some(tenant) = self.tenants.find(id) else {
            return;
        };
        then(tenant);
        follow_up(env, (&mut self.alarms, &mut self.unreported), tenant);
    }
}

/// What follows when a tenant was handed anything but a message.
fn follow_up(
    env: &Env<'_>,
    (alarms, unreported): (&mut BTreeSet<(Millis, TenantId)>, &mut Vec<TenantId>),
    tenant: &mut Tenant,
) {
    tenant.count_sockets(env);
    reschedule(alarms, tenant);
    list_unreported(unreported, tenant);
}

/// What follows when a tenant was handed a message. A message on its way changes no alarm, and opens or
/// closes no socket: to look for that would touch all of a tenant.
fn follow_up_message(unreported: &mut Vec<TenantId>, tenant: &mut Tenant) {
    debug_assert_eq!(
        tenant.alarm_ms,
        tenant.next_wakeup(),
        "a message changed it"
    );
    list_unreported(unreported, tenant);
}

/// Remembers a tenant that has usage to report.
fn list_unreported(unreported: &mut Vec<TenantId>, tenant: &mut Tenant) {
    if tenant.take_unlisted_usage() {
        unreported.push(tenant.id().clone());
    }
}

/// Moves the tenant's alarm if it changed.
fn reschedule(alarms: &mut BTreeSet<(Millis, TenantId)>, tenant: &mut Tenant) {
    let (old, new) = (tenant.alarm_ms, tenant.next_wakeup());
    if old == new {
        return;
    }
    tenant.alarm_ms = new;
    let id = tenant.id().clone();
    match old {
        Millis::MAX => alarms.insert((new, id)),
        _ => {
            alarms.remove(&(old, id.clone()));
            alarms.insert((new, id))
        }
    };
}
