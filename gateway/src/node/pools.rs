//! The memory that all connections of the node share.

use crate::memory::{MemoryDivision, places, pool};
use crate::ws::{Budget, BudgetPool};

/// Which part of each pool all sockets without a tenant may take together: an eighth.
const STRANGERS_PART: u64 = 8;

/// The pools that budgets take from.
pub(crate) struct MemoryPools {
    /// Frames that wait for a socket.
    pub(crate) outbound: BudgetPool,
    /// Messages that have not arrived as a whole.
    pub(crate) assembly: BudgetPool,
    /// Sockets and kept connections.
    pub(super) places: BudgetPool,
    /// Frames for sockets without a tenant.
    pub(super) strangers_outbound: Budget,
    /// Messages of sockets without a tenant.
    pub(super) strangers_assembly: Budget,
}

impl MemoryPools {
    pub(super) fn new(memory: &MemoryDivision, sockets_max: usize) -> Self {
        let (outbound, assembly) = (pool(memory.outbound), pool(memory.assembly));
        Self {
            places: places(sockets_max),
            strangers_outbound: Budget::in_pool(memory.outbound / STRANGERS_PART, &outbound),
            strangers_assembly: Budget::in_pool(memory.assembly / STRANGERS_PART, &assembly),
            outbound,
            assembly,
        }
    }
}
