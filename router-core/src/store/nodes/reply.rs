//! What the store answers about nodes.

use protocol::{BootId, UsageHour};

use super::hello::NodeHello;

/// The answer to a [`NodeQuery`](super::NodeQuery).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeReply {
    /// All beats, the asker's raised one among them.
    Beats {
        /// Changes only when the store lost its data.
        generation: u64,
        /// In no order; each node once.
        beats: Vec<(BootId, u64)>,
        /// The first hour of which each node may still have usage that is not booked, in the order of the boot
        /// ids. A build that counts no usage says nothing.
        flushed: Vec<(BootId, UsageHour)>,
    },
    /// The asker was evicted: its boot id is dead.
    AskerEvicted,
    /// Whether the entry was removed. False: its beat has moved on, or it was removed before.
    Evict(bool),
    /// It is written.
    Done,
    /// What the node says of itself; `None` if it said nothing within 24 h.
    Hello(Option<NodeHello>),
    /// The store did not answer. The query may have been executed all the same.
    Unavailable,
}
