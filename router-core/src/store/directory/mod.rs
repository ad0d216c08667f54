//! The directory of a tenant: its bots, connections and client ids, the same for all nodes.
//!
//! A tenant's directory has one counter, `ver`: every step that changes it takes the next number
//! and tells all nodes with a [`DirectoryEvent`]. See [`counter`] for the numbers that count.

pub mod counter;
mod event;
pub(super) mod model;
mod records;
mod reply;
mod request;

pub use event::{DirectoryChange, DirectoryEvent};
pub use records::{
    BotHolder, BotRecord, ConnRecord, DirectoryCaps, DirectorySnapshot, EvictedNodes, Fence,
    SeenClient,
};
pub use reply::DirectoryReply;
pub use request::{BotClaim, DirectoryQuery, DirectoryRequest, EntryRelease, HeldEntries};
