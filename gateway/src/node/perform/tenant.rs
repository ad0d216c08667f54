//! What the tenants of a shard want, done inside the shard's critical section.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{BootId, CloseCode, Limits, Outbound, TenantId};
use router_core::dispatch::TenantPerformer;
use router_core::effect::{Outcome, RouterFact, Ticket};
use router_core::lane::{BestEffortStream, LaneOutcome, Parcel};
use router_core::request::SessionNotice;
use router_core::store::StoreRequest;
use router_core::{ConnKey, Env, Shard};

use super::close::close_socket;
use crate::node::core::Node;
use crate::node::entry::ConnectionEntry;
use crate::node::history::connection_of;
use crate::node::shards::ShardCell;
use crate::node::tenant_budgets::TenantBudgets;
use crate::node::work::DeferredWork;

/// A shard whose lock is held.
pub(super) struct ShardHold<'a> {
    pub node: &'a Node,
    pub env: &'a Env<'a>,
    pub cell: &'a ShardCell,
    pub shard: &'a mut Shard,
    pub connections: &'a foldhash::HashMap<ConnKey, Arc<ConnectionEntry>>,
    pub budgets: &'a mut HashMap<TenantId, Box<TenantBudgets>>,
    pub work: &'a mut DeferredWork,
}

impl TenantPerformer for ShardHold<'_> {
    fn shard(&mut self) -> &mut Shard {
        self.shard
    }

    fn push(&mut self, conn: ConnKey, outbound: Outbound) -> Outcome {
        match self.connections.get(&conn) {
            Some(entry) => self.node.push(self.env, entry, outbound, self.work),
            None => Outcome::Gone,
        }
    }

    fn ask(&mut self, ticket: Ticket, request: Box<StoreRequest>) -> Result<(), Ticket> {
        let pushed = self.cell.store.push(ticket, *request);
        pushed.inspect_err(|_| self.node.metrics.store_full.increment(1))
    }

    fn publish(&mut self, node: BootId, parcel: Parcel) -> Result<(), (Parcel, LaneOutcome)> {
        let own = self.env.nodes.own;
        let Some(sample) = &mut self.work.sample else {
            return self.node.lanes.push(self.env.now_ms, own, node, parcel);
        };
        // Before it is on the lane: what becomes of it may be told at once.
        self.node.samples.sent(&parcel.receipt, sample);
        let pushed = self.node.lanes.push(self.env.now_ms, own, node, parcel);
        pushed.inspect_err(|(parcel, _)| self.node.samples.withdrawn(&parcel.receipt, sample))
    }

    fn publish_best_effort(
        &mut self,
        tenant: TenantId,
        node: BootId,
        stream: BestEffortStream,
        envelope: Bytes,
    ) {
        let (own, lanes) = (self.env.nodes.own, &self.node.lanes);
        if !lanes.push_best_effort(own, node, &tenant, stream, envelope) {
            self.node.note(&RouterFact::BestEffortDropped, self.work);
        }
    }

    fn tell(&mut self, conn: ConnKey, notice: SessionNotice) {
        let Some(entry) = self.connections.get(&conn) else {
            return;
        };
        match &notice {
            // It entered with what the configuration says.
            SessionNotice::Joined { limits, .. } => {
                if !self.has_limits(entry, limits) {
                    self.limit(entry, limits);
                }
            }
            SessionNotice::Limited(limits) => self.limit(entry, limits),
            SessionNotice::Refused(_) => {}
        }
        self.work.told.push_back((Arc::clone(entry), notice));
    }

    fn close(&mut self, conn: ConnKey, close: CloseCode) {
        if let Some(entry) = self.connections.get(&conn) {
            close_socket(entry, close, self.work);
        }
    }

    fn discover(&mut self, node: BootId) {
        self.node.discover(node);
    }

    fn unload(&mut self, tenant: TenantId) {
        self.node.backplane.unload(&tenant);
    }

    fn note(&mut self, fact: RouterFact) {
        if let Some(conn) = connection_of(&fact)
            && let Some(entry) = self.connections.get(&conn)
        {
            if let RouterFact::BotOnline(arrival) = &fact {
                let bot = arrival.bot.clone();
                self.work.registered.push((Arc::clone(entry), bot));
            }
            self.node.remember_fact(entry, &fact);
        }
        self.node.note(&fact, self.work);
    }
}

impl ShardHold<'_> {
    /// Whether a socket's tenant is held to these limits already.
    fn has_limits(&self, entry: &ConnectionEntry, limits: &Arc<Limits>) -> bool {
        let tenant = entry.owner.get().map(|owner| owner.tenant());
        let own = tenant.and_then(|tenant| self.budgets.get(tenant));
        own.is_some_and(|own| Arc::ptr_eq(&own.limits, limits))
    }

    /// Holds a socket and its tenant to these limits.
    fn limit(&mut self, entry: &Arc<ConnectionEntry>, limits: &Arc<Limits>) {
        let Some(owner) = entry.owner.get() else {
            return;
        };
        let Some(own) = self.budgets.get_mut(owner.tenant()) else {
            return;
        };
        own.set_limits(limits);
        entry.socket.set_read_limits(own.read_limits());
        // If more waits than is allowed now, the socket keeps the old limits.
        let _ = entry
            .socket
            .set_write_limits(own.write_limits_now(owner.client));
    }
}
