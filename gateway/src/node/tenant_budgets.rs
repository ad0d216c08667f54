//! What all sockets of a tenant share, and whose a socket is.

use std::sync::Arc;

use protocol::{Limits, TenantId};

use super::client_shares::{ClientHash, ClientShares};
use super::pools::MemoryPools;
use super::unpaid_answers::UnpaidAnswers;
use super::unpaid_frames::UnpaidFrames;
use crate::ws::budget::SocketPlace;
use crate::ws::{Budget, ReadLimits, WriteLimits};

/// Who is charged for a connection.
pub(super) struct SocketOwner {
    pub(super) share: Arc<TenantShare>,
    pub(super) client: ClientHash,
    /// Its place among its tenant's sockets, until it is gone; absent: there was none.
    _place: Option<SocketPlace>,
}

impl SocketOwner {
    pub(super) fn new(
        share: Arc<TenantShare>,
        client: ClientHash,
        place: Option<SocketPlace>,
    ) -> Self {
        Self {
            share,
            client,
            _place: place,
        }
    }

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

/// What all sockets of a tenant share, and how many share it.
pub(super) struct TenantBudgets {
    pub(super) share: Arc<TenantShare>,
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

impl TenantBudgets {
    pub(super) fn new(tenant: &TenantId, limits: Arc<Limits>, pools: &MemoryPools) -> Self {
        Self {
            outbound: Budget::in_pool(limits.outbound_bytes_per_tenant, &pools.outbound),
            assembly: Budget::in_pool(limits.assembly_bytes_per_tenant, &pools.assembly),
            // The limit of a tenant's sockets is of all nodes: that is the tenant machine's.
            places: Budget::in_pool(u64::MAX, &pools.places),
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
    pub(super) fn exit(&mut self, client: ClientHash) {
        if let Some(share) = self.clients.get_mut(client) {
            share.sockets -= 1;
            if share.sockets == 0 {
                self.clients.remove(client);
            }
        }
    }

    pub(super) fn read_limits(&self) -> ReadLimits {
        ReadLimits {
            message_bytes: self.limits.frame_bytes as usize,
            assembly: self.assembly.clone(),
        }
    }

    /// Other limits hold from now on.
    pub(super) fn set_limits(&mut self, limits: &Arc<Limits>) {
        if !Arc::ptr_eq(&self.limits, limits) {
            self.outbound.set_limit(limits.outbound_bytes_per_tenant);
            self.assembly.set_limit(limits.assembly_bytes_per_tenant);
            self.limits = Arc::clone(limits);
        }
    }

    /// The limits of one more socket of a client id.
    pub(super) fn write_limits(&mut self, client: ClientHash) -> WriteLimits {
        self.clients.or_default(client).sockets += 1;
        self.write_limits_now(client)
    }

    /// The limits of the socket of a client id that is open.
    pub(super) fn write_limits_now(&mut self, client: ClientHash) -> WriteLimits {
        let (most, outbound) = (self.limits.outbound_bytes_per_client, &self.outbound);
        let share = self.clients.or_default(client);
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
