//! The tenants of a shard, and which of them was handled last.

use hashbrown::HashTable;
use protocol::TenantId;

use crate::ids::TableKeys;
use crate::tenant::Tenant;

/// Tenants by their ids.
///
/// What follows from one input is of one tenant: a message, its outcomes, its acknowledgement. So the table
/// remembers where the tenant is that was asked for last, and looks there first.
#[derive(Debug)]
pub(super) struct TenantTable {
    /// Eight bytes a place: the table stays in the processor's caches.
    tenants: HashTable<Box<Tenant>>,
    keys: TableKeys,
    /// The place of the last one; absent if that is not here. Places change when a tenant comes or goes.
    last: Option<usize>,
}

impl TenantTable {
    pub fn new(keys: TableKeys) -> Self {
        Self {
            tenants: HashTable::new(),
            keys,
            last: None,
        }
    }

    pub fn len(&self) -> usize {
        self.tenants.len()
    }

    /// Looks at a tenant.
    pub fn get(&self, id: &TenantId) -> Option<&Tenant> {
        let found = self.tenants.find(self.keys.hash(id), |it| it.id() == id);
        found.map(|tenant| &**tenant)
    }

    /// The tenant that is handled now.
    #[inline]
    pub fn find(&mut self, id: &TenantId) -> Option<&mut Tenant> {
        let last = self.last.and_then(|place| self.tenants.get_bucket(place));
        if last.is_none_or(|tenant| tenant.id() != id) {
            let hash = self.keys.hash(id);
            self.last = self.tenants.find_bucket_index(hash, |it| it.id() == id);
        }
        self.last()
    }

    /// The tenant that was handled last, if it is still here.
    #[inline]
    pub fn last(&mut self) -> Option<&mut Tenant> {
        let place = self.tenants.get_bucket_mut(self.last?);
        place.map(|tenant| &mut **tenant)
    }

    /// The tenant that is handled now; made if it is not here.
    pub fn find_or_insert(
        &mut self,
        id: &TenantId,
        new: impl FnOnce() -> Box<Tenant>,
    ) -> &mut Tenant {
        let keys = &self.keys;
        let entry = self
            .tenants
            .entry(keys.hash(id), |it| it.id() == id, |it| keys.hash(it.id()));
        let entry = entry.or_insert_with(new);
        self.last = Some(entry.bucket_index());
        entry.into_mut()
    }

    pub fn remove(&mut self, id: &TenantId) {
        let hash = self.keys.hash(id);
        if let Ok(tenant) = self.tenants.find_entry(hash, |it| it.id() == id) {
            tenant.remove();
        }
        self.last = None;
    }

    /// All of them, in no order.
    #[expect(
        clippy::disallowed_methods,
        reason = "the caller sorts, or needs no order"
    )]
    pub fn iter(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.iter().map(|tenant| &**tenant)
    }

    /// All of them, in no order.
    #[expect(clippy::disallowed_methods, reason = "the caller needs no order")]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tenant> {
        self.tenants.iter_mut().map(|tenant| &mut **tenant)
    }
}
