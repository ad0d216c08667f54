//! What a node is told by the others, and by its own probes.

use bytes::Bytes;
use protocol::TenantId;
use router_core::store::DirectoryEvent;

/// Something that arrived, in the order in which it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundMessage {
    /// From another node's lane.
    Packet(Bytes),
    /// A step of a tenant's directory.
    Event {
        /// Whose.
        tenant: TenantId,
        /// The step.
        event: DirectoryEvent,
        /// Whether the tenant's counter was no time, and was repaired in this step.
        repaired: bool,
    },
    /// A probe came back, over every connection that listens.
    Probe {
        /// Its number.
        number: u64,
    },
    /// Messages are being lost from now on. The link is up from the start, without a word.
    LinkDown,
    /// Everything is subscribed again; what was published in between is lost.
    LinkUp,
}
