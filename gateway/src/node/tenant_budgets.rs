//! What all sockets of a tenant share, and whose a socket is.

use std::sync::Arc;

use protocol::{Limits, TenantId};
use router_core::ConnKey;

use super::unpaid_answers::UnpaidAnswers;
use super::unpaid_frames::UnpaidFrames;
use super::{Entry, Node, ShardState};
use crate::ws::budget::Place;
use crate::ws::{Budget, ReadLimits, WriteLimits};

/// Who is charged for a connection.
pub(super) struct SocketOwner {
    pub(super) share: Arc<TenantShare>,
    pub(super) client: ClientHash,
    /// Its place among its tenant's sockets, until it is gone; absent: there was none.
    _place: Option<Place>,
}

impl SocketOwner {
    pub(super) fn tenant(&self) -> &TenantId {
        &self.share.tenant
    }
}

/// What the sockets of a tenant share without their shard's lock.
pub(super) struct TenantShare {
    /// Its name, in the one copy that all its sockets share.
    pub(super) tenant: TenantId,
    pub(super) unpaid: UnpaidAnswers,
    pub(super) unpaid_frames: UnpaidFrames,
}

/// Stands for a client id where many are counted: a hash with the process's random keys.
pub(super) type ClientHash = u64;

/// What all sockets of a tenant share, and how many share it.
pub(super) struct TenantBudgets {
    share: Arc<TenantShare>,
    pub(super) outbound: Budget,
    pub(super) assembly: Budget,
    /// Sockets and kept connections, each one.
    pub(super) places: Budget,
    /// Its client ids that are connected.
    pub(super) clients: ClientShares,
    pub(super) limits: Arc<Limits>,
    pub(super) sockets: usize,
    /// Connections of the HTTP API between two requests.
    pub(super) kept: usize,
}

/// What the sockets of one client id share.
#[derive(Default)]
pub(super) struct ClientShare {
    pub(super) sockets: usize,
    /// Of all sockets but the first: one alone is bounded by its queue.
    pub(super) outbound: Option<Budget>,
}

/// The shares of all client ids that are connected. Most tenants have one, which takes no table.
#[derive(Default)]
pub(super) struct ClientShares {
    first: Option<(ClientHash, ClientShare)>,
    others: Option<Box<foldhash::HashMap<ClientHash, ClientShare>>>,
}

impl ClientShares {
    fn get_mut(&mut self, client: ClientHash) -> Option<&mut ClientShare> {
        match &mut self.first {
            Some((first, share)) if *first == client => Some(share),
            Some(_) | None => self.others.as_mut()?.get_mut(&client),
        }
    }

    fn or_default(&mut self, client: ClientHash) -> &mut ClientShare {
        if self.others.is_none() {
            self.first
                .get_or_insert_with(|| (client, ClientShare::default()));
        }
        match &mut self.first {
            Some((first, share)) if *first == client => share,
            Some(_) | None => {
                let others = self.others.get_or_insert_default();
                others.entry(client).or_default()
            }
        }
    }

    fn remove(&mut self, client: ClientHash) {
        if self.first.take_if(|(first, _)| *first == client).is_some() {
            return;
        }
        if let Some(others) = &mut self.others {
            others.remove(&client);
            self.others.take_if(|others| others.is_empty());
        }
    }
}

impl ShardState {
    /// Lets a connection in, so that effects can reach it. What may wait for it is its tenant's to
    /// say from now on, since its greeting is long; what it may send, only once it has joined.
    ///
    /// False: its tenant has no place for it, or not even what waits already fits its budget.
    pub(super) fn enter(
        &mut self,
        node: &Node,
        tenant: &TenantId,
        client: ClientHash,
        entry: &Arc<Entry>,
    ) -> bool {
        let own = self.budgets_of(node, tenant);
        own.sockets += 1;
        let place = own.places.place();
        let has_place = place.is_some();
        let share = Arc::clone(&own.share);
        entry.socket.set_read_limits(own.read_limits());
        let limits = own.write_limits(client);
        self.connections.insert(entry.key, Arc::clone(entry));
        // It joins once.
        let _ = entry.owner.set(SocketOwner {
            share,
            client,
            _place: place,
        });
        has_place && entry.socket.set_write_limits(limits)
    }

    pub(super) fn exit(&mut self, tenant: &TenantId, key: ConnKey) {
        let Some(entry) = self.connections.remove(&key) else {
            return;
        };
        let (Some(own), Some(owner)) = (self.budgets.get_mut(tenant), entry.owner.get()) else {
            return;
        };
        own.sockets -= 1;
        own.exit(owner.client);
        self.forget_unused(tenant);
    }

    /// What a tenant's sockets share; made with the first of them.
    pub(super) fn budgets_of(&mut self, node: &Node, tenant: &TenantId) -> &mut TenantBudgets {
        let own = self.budgets.entry(tenant.clone());
        own.or_insert_with(|| Box::new(TenantBudgets::new(node, tenant)))
    }

    /// Forgets what a tenant's sockets share, if it has none.
    pub(super) fn forget_unused(&mut self, tenant: &TenantId) {
        let own = self.budgets.get(tenant);
        if own.is_some_and(|own| own.sockets == 0 && own.kept == 0) {
            self.budgets.remove(tenant);
        }
    }
}

impl TenantBudgets {
    fn new(node: &Node, tenant: &TenantId) -> Self {
        let limits = node.settings.limits_of(tenant);
        Self {
            outbound: Budget::in_pool(limits.outbound_bytes_per_tenant, &node.outbound),
            assembly: Budget::in_pool(limits.assembly_bytes_per_tenant, &node.assembly),
            // The limit of a tenant's sockets is of all nodes: that is the tenant machine's.
            places: Budget::in_pool(u64::MAX, &node.places),
            share: Arc::new(TenantShare {
                tenant: tenant.clone(),
                unpaid: UnpaidAnswers::default(),
                unpaid_frames: UnpaidFrames::default(),
            }),
            clients: ClientShares::default(),
            limits,
            sockets: 0,
            kept: 0,
        }
    }

    /// Forgets a client id whose last socket this was.
    fn exit(&mut self, client: ClientHash) {
        if let Some(share) = self.clients.get_mut(client) {
            share.sockets -= 1;
            if share.sockets == 0 {
                self.clients.remove(client);
            }
        }
    }

    fn read_limits(&self) -> ReadLimits {
        ReadLimits {
            message_bytes: self.limits.frame_bytes as usize,
            assembly: self.assembly.clone(),
        }
    }

    /// The limits of one more socket of a client id.
    fn write_limits(&mut self, client: ClientHash) -> WriteLimits {
        let (most, outbound) = (self.limits.outbound_bytes_per_client, &self.outbound);
        let share = self.clients.or_default(client);
        share.sockets += 1;
        let of_many = || Budget::new(most, Some(outbound.clone()));
        let budget = match share.sockets {
            1 => outbound,
            _ => share.outbound.get_or_insert_with(of_many),
        };
        WriteLimits {
            bytes: self.limits.outbound_bytes as usize,
            frames: self.limits.outbound_frames,
            budget: budget.clone(),
        }
    }
}
