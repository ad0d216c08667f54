//! What single checks remember of a run.

use std::collections::{BTreeMap, BTreeSet};

use router_core::ConnKey;

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
