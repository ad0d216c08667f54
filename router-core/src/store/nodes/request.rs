//! What the node machine asks.

use protocol::{BootId, UsageHour};

use super::hello::NodeHello;

/// A query of the node machine. It may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeQuery {
    /// Writes the asker's beat and reads all. Reply: `Beats`, or `AskerEvicted`.
    ///
    /// An entry that is absent is written anew, unless the asker knows this very generation: then
    /// somebody removed it.
    Beat {
        /// The asker.
        boot: BootId,
        /// Higher with every beat of this boot id. The asker counts, not the store: after a
        /// failover to older data a beat must not look like one that was seen before.
        beat: u64,
        /// The generation of the last `Beats` that the asker got for this boot id.
        known_generation: Option<u64>,
        /// Random; becomes the generation if the store has none.
        fresh_generation: u64,
        /// The first hour of which the asker may still have usage that is not booked.
        flushed: UsageHour,
    },
    /// Removes a node's entry if its beat is still this one. Reply: `Evict`.
    Evict {
        /// Whose.
        boot: BootId,
        /// Its beat when it was last seen.
        beat: u64,
    },
    /// Writes what a node says of itself. Reply: `Done`.
    Hello {
        /// The asker.
        boot: BootId,
        /// What it says.
        hello: NodeHello,
    },
    /// Reads what a node says of itself. Reply: `Hello`.
    Describe(BootId),
}
