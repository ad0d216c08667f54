//! Which tenants there are: those that used something, and those that operators changed.
//!
//! The list is in parts, so that no request reads all of it. It says nothing that is not elsewhere; a tenant that
//! was never used and never changed is not in it.

use protocol::{TenantId, UsageHour};

/// A tenant of the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedTenant {
    /// Which.
    pub tenant: TenantId,
    /// The first hour of the last day on which it used something; absent: none is known.
    pub last_used: Option<UsageHour>,
}

/// A part of the list of tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantPart(u8);

impl TenantPart {
    /// How many there are.
    pub const COUNT: u8 = 64;

    /// The part with a number; `None`: there are not so many.
    pub fn from_number(number: u8) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// Its number, from 0.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The part that a tenant is in. All builds must agree, so it does not depend on the process: FNV-1a of
    /// the id.
    pub fn of(tenant: &TenantId) -> Self {
        let bytes = tenant.as_str().bytes();
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(((hash ^ (hash >> 32)) % u64::from(Self::COUNT)) as u8)
    }
}
