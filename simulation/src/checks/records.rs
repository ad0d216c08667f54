//! What single checks remember of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use router_core::ConnKey;
use router_core::store::AssignedTerms;

use crate::agenda::MachineProcess;

/// What arrived last.
#[derive(Debug, Default)]
pub(super) struct ArrivalOrder {
    pub(super) last: BTreeMap<(ConnKey, ConnKey, String), usize>,
    pub(super) ended: BTreeSet<(ConnKey, String)>,
}

/// What each connection has.
#[derive(Debug, Default)]
pub(super) struct IdempotencyKeys {
    pub(super) tags: BTreeSet<(ConnKey, usize)>,
    pub(super) ids: BTreeSet<(ConnKey, String, String, String)>,
}

/// Which connection each epoch of a bot belongs to.
#[derive(Debug, Default)]
pub(super) struct EpochHomes(pub(super) BTreeMap<(usize, String, u64), ConnKey>);

/// A process, and a tenant by its number.
pub(super) type TenantProcess = (MachineProcess, usize);

/// What processes may accept, and accepted.
#[derive(Debug, Default)]
pub(super) struct AcceptedMessages {
    /// How many messages each process accepted since it applies an allowance.
    pub(super) accepted: BTreeMap<TenantProcess, u64>,
    /// The allowance that each process applies, where operators assign them.
    pub(super) allowed: BTreeMap<TenantProcess, u64>,
}

/// What operators assigned, by the number of the tenant.
#[derive(Debug, Default)]
pub(super) struct SeenTerms {
    /// What was assigned last.
    pub(super) last: BTreeMap<usize, Option<Arc<AssignedTerms>>>,
    /// The tenants that ever had an allowance.
    pub(super) ever_limited: BTreeSet<usize>,
    /// The tenants that have an allowance in the end.
    pub(super) limited: BTreeSet<usize>,
}
