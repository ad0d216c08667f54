//! Connections of the HTTP API that are kept alive for another request: between two of them each
//! counts as a socket of the tenant whose credential was used last.

use std::sync::Arc;

use protocol::TenantId;

use super::core::Node;
use crate::ws::budget::SocketPlace;

/// A place among a tenant's sockets, given back when dropped.
pub(crate) struct ReservedPlace {
    node: Arc<Node>,
    tenant: TenantId,
    _place: SocketPlace,
}

impl Node {
    /// A place for a connection that is kept; none: its tenant has as many sockets as it may.
    pub(crate) fn keep_for(self: &Arc<Self>, tenant: &TenantId) -> Option<ReservedPlace> {
        let mut state = self.shards.lock_of(tenant);
        let own = state.budgets_of(&self.pools, tenant);
        let most = own.limits.sockets_per_tenant as usize;
        let has_place = own.sockets + own.kept < most;
        let place = has_place.then(|| own.places.place()).flatten();
        own.kept += usize::from(place.is_some());
        state.forget_unused(tenant);
        Some(ReservedPlace {
            node: Arc::clone(self),
            tenant: tenant.clone(),
            _place: place?,
        })
    }
}

impl std::fmt::Debug for ReservedPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReservedPlace").field(&self.tenant).finish()
    }
}

impl Drop for ReservedPlace {
    fn drop(&mut self) {
        let mut state = self.node.shards.lock_of(&self.tenant);
        if let Some(own) = state.budgets.get_mut(&self.tenant) {
            own.kept -= 1;
        }
        state.forget_unused(&self.tenant);
    }
}
