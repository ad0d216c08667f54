//! Who still uses an old secret, and what is answered while secrets are rotated.

use std::collections::BTreeMap;

use protocol::TenantId;
use router_core::auth::{AuthError, Credential};

use super::core::Node;

/// A page of the tenants that have sockets open which a secret other than the first verified.
pub(crate) struct UsingOld {
    /// How many such sockets each has, by its id.
    pub(crate) tenants: BTreeMap<TenantId, u32>,
    /// Whether there are more behind the last one.
    pub(crate) more: bool,
}

impl Node {
    /// How many sockets the first secret verified, and how many another.
    pub(crate) fn sockets_by_secret(&self) -> [u64; 2] {
        let shards = self.shards.cells().iter();
        let each = shards.map(|cell| cell.lock().shard.sockets_by_secret());
        each.fold([0, 0], |sum, more| [sum[0] + more[0], sum[1] + more[1]])
    }

    /// The first `limit` tenants behind `after`, by id, that use an old secret.
    pub(crate) fn using_old(&self, after: Option<&TenantId>, limit: usize) -> UsingOld {
        let mut tenants = BTreeMap::new();
        let mut more = false;
        for cell in self.shards.cells() {
            let state = cell.lock();
            for (tenant, sockets) in state.shard.using_old_secrets() {
                if after.is_some_and(|after| tenant <= after) {
                    continue;
                }
                tenants.insert(tenant.clone(), sockets);
                if tenants.len() > limit {
                    tenants.pop_last();
                    more = true;
                }
            }
        }
        UsingOld { tenants, more }
    }

    /// What a refused credential is answered. It may be good on a node that has a secret which this
    /// one lacks: then its bearer should come back, as this node gets that secret soon.
    pub(super) fn or_later(&self, error: AuthError, credential: &Credential) -> AuthError {
        let may_be_good = error == AuthError::Invalid && credential.claimed().is_some();
        if may_be_good && self.view().lacks_a_secret() {
            return AuthError::Later;
        }
        error
    }
}
