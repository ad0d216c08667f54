//! What a step of a directory is taken with.

use protocol::TenantId;

use crate::env::Millis;
use crate::store::budget::StoreBudget;
use crate::store::directory::records::DirectoryCaps;
use crate::store::policy::TenantPolicy;

/// What the asker says.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct StepContext {
    /// Its time, Unix milliseconds.
    pub(in crate::store) now_ms: Millis,
    /// The highest number of the counter that it has seen.
    pub(in crate::store) known_ver: u64,
    /// How much the directory may hold.
    pub(in crate::store) caps: DirectoryCaps,
}

/// A tenant, the asker, and what of the store a step may change beside the directory.
#[derive(Debug)]
pub(in crate::store) struct StepScope<'a> {
    pub(in crate::store) tenant: &'a TenantId,
    pub(in crate::store) asked: StepContext,
    pub(in crate::store) budget: &'a mut StoreBudget,
    pub(in crate::store) policy: &'a mut TenantPolicy,
}
