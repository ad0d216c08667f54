//! What goes through a lane, and what becomes of it.

use bytes::Bytes;
use protocol::lane::Verdict;
use protocol::{Name, StreamId, TenantId};

use crate::ids::Receipt;

/// A message for another node. It comes back with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What its outcome is told under.
    pub receipt: Receipt,
    /// The envelope as bytes.
    pub bytes: Bytes,
}

impl Parcel {
    /// Whose it is.
    pub const fn tenant(&self) -> &TenantId {
        self.receipt.tenant()
    }
}

/// Parcels that come back, each with what became of it.
pub type ParcelOutcomes = Vec<(Parcel, LaneOutcome)>;

/// What a best-effort envelope belongs to: sender, recipient, and the stream of a partial (`typing`
/// has none). A newer one replaces one that waits.
pub type BestEffortStream = (Name, Name, Option<StreamId>);

/// What became of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneOutcome {
    /// The receiving node put it into a queue.
    Delivered,
    /// The receiving node decided otherwise.
    Verdict(Verdict),
    /// It was published, perhaps in vain, and nothing was heard: `delivery_unknown`.
    Unknown,
    /// It was never published: `unreachable`.
    Unsent,
}
