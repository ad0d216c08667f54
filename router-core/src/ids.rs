//! Names and keys that mean something in this process only.

use std::hash::{BuildHasher, Hasher};

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use protocol::TenantId;
use siphasher::sip::SipHasher13;

/// One socket of this node, for as long as the process lives. Never used twice, so a late effect
/// cannot reach somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnKey(pub u64);

/// Names a delivery whose outcome the tenant waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub(crate) tenant: TenantId,
    pub(crate) number: u64,
}

impl Receipt {
    /// The receipt of a tenant's delivery. Only that tenant knows what a number stands for.
    pub const fn new(tenant: TenantId, number: u64) -> Self {
        Self { tenant, number }
    }

    /// Whose delivery it is: the shell finds the shard by it.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }
}

/// Names a question to the store, so that its reply finds the tenant that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Who asked.
    pub tenant: TenantId,
    pub(crate) number: u64,
}

/// SipHash under keys of this process, so that nobody outside can make two texts collide.
#[derive(Debug, Clone, Copy)]
pub struct HashKeys(pub u64, pub u64);

impl BuildHasher for HashKeys {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// Says where tenants lie in tables, also under keys of this process, for fewer instructions than
/// SipHash: a message asks several times. foldhash is no cryptography: who does not know the keys
/// cannot choose colliding tenants, unless he could time single look-ups.
#[derive(Debug, Clone)]
pub struct TableKeys {
    seed: u64,
    shared: SharedSeed,
}

impl TableKeys {
    /// The ones that belong to `keys`.
    pub const fn new(keys: HashKeys) -> Self {
        Self {
            seed: keys.0,
            shared: SharedSeed::from_u64(keys.1),
        }
    }

    /// The tenant's hash: all of its bits are good.
    pub fn hash(&self, tenant: &TenantId) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write(tenant.as_str().as_bytes());
        hasher.finish()
    }
}
