//! Names and keys that mean something in this process only.

use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

/// One socket of this node, for as long as the process lives. Never used twice, so a late effect
/// cannot reach somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnKey(pub u64);

/// SipHash under keys of this process, so that nobody can choose colliding tenants.
#[derive(Debug, Clone, Copy)]
pub struct HashKeys(pub u64, pub u64);

impl BuildHasher for HashKeys {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}
