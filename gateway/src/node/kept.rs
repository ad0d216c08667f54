//! Connections of the HTTP API that are kept alive for another request: between two of them each
//! counts as a socket of the tenant whose credential was used last.

use std::sync::Arc;

use protocol::TenantId;

use super::{Node, lock};
use crate::ws::budget::Place;

/// A place among a tenant's sockets, given back when dropped.
pub(crate) struct KeptPlace {
    node: Arc<Node>,
    tenant: TenantId,
    _place: Place,
}

impl Node {
    /// A place for a connection that is kept; none: its tenant has as many sockets as it may.
    pub(crate) fn keep_for(self: &Arc<Self>, tenant: &TenantId) -> Option<KeptPlace> {
        let mut state = lock(&self.shards[self.shard_of(tenant)].state);
        let own = state.budgets_of(self, tenant);
        let most = own.limits.sockets_per_tenant as usize;
        let has_place = own.sockets + own.kept < most;
        let place = has_place.then(|| own.places.place()).flatten();
        own.kept += usize::from(place.is_some());
        state.forget_unused(tenant);
        Some(KeptPlace {
            node: Arc::clone(self),
            tenant: tenant.clone(),
            _place: place?,
        })
    }
}

impl std::fmt::Debug for KeptPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeptPlace").field(&self.tenant).finish()
    }
}

impl Drop for KeptPlace {
    fn drop(&mut self) {
        let shard = &self.node.shards[self.node.shard_of(&self.tenant)];
        let mut state = lock(&shard.state);
        if let Some(own) = state.budgets.get_mut(&self.tenant) {
            own.kept -= 1;
        }
        state.forget_unused(&self.tenant);
    }
}
