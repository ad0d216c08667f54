//! State that the layers of a request to the HTTP API share with its handler.

use std::future::pending;
use std::sync::{Arc, OnceLock};

use protocol::TenantId;
use protocol::plan::QuotaStatus;

use super::peer::PeerSocket;
use crate::progress::ConnectionTurns;
use crate::ws::Budget;

/// One request until it is answered. The request carries it in its extensions, as an [`Arc`].
#[derive(Debug)]
pub(super) struct CallContext {
    pub(super) peer: PeerSocket,
    /// The pace of the request's connection. Absent if the listener did not provide it.
    pub(super) turns: Option<Arc<ConnectionTurns>>,
    /// Set as soon as the request has joined a tenant.
    pub(super) joined: OnceLock<JoinedTenant>,
}

/// The tenant that a request has joined.
#[derive(Debug)]
pub(super) struct JoinedTenant {
    pub(super) tenant: TenantId,
    /// The budget that the answer is charged to.
    pub(super) outbound: Budget,
    /// The soft allowances that it has reached.
    pub(super) quotas: Vec<QuotaStatus>,
}

impl CallContext {
    /// A request that has not joined a tenant.
    pub(super) fn new(peer: PeerSocket, turns: Option<Arc<ConnectionTurns>>) -> Self {
        Self {
            peer,
            turns,
            joined: OnceLock::new(),
        }
    }

    /// Returns once the peer has ended its sending side.
    pub(super) async fn input_ended(&self) {
        match &self.turns {
            Some(turns) => turns.input_ended().await,
            None => pending().await,
        }
    }

    /// The soft allowances that the request's tenant has reached.
    pub(super) fn quotas(&self) -> &[QuotaStatus] {
        self.joined.get().map_or(&[], |joined| &joined.quotas)
    }

    /// The tenant that the request has joined.
    pub(super) fn tenant(&self) -> Option<&TenantId> {
        self.joined.get().map(|joined| &joined.tenant)
    }
}
