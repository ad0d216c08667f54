//! What this node saw of a store that lost its data.

use std::sync::Mutex;

use protocol::UsageHour;

use crate::node::lock::lock;

/// The store lost its data: it has another generation than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreLoss {
    /// The generation that is lost.
    pub(crate) old: u64,
    /// The present one.
    pub(crate) new: u64,
    /// When this node saw it. What was booked until then may be lost.
    pub(crate) hour: UsageHour,
}

/// The last loss that this node saw. One is enough: earlier losses concern earlier hours.
#[derive(Debug, Default)]
pub(crate) struct LossMemory(Mutex<Option<StoreLoss>>);

impl LossMemory {
    /// Remembers a loss.
    pub(in crate::node) fn note(&self, loss: StoreLoss) {
        *lock(&self.0) = Some(loss);
    }

    /// The last loss; absent: none since the node started.
    pub(crate) fn last(&self) -> Option<StoreLoss> {
        *lock(&self.0)
    }
}
