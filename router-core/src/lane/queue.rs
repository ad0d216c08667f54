//! What waits of one tenant.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::parcel::{BestEffortStream, Parcel};
use crate::env::Millis;

/// One envelope that waits.
#[derive(Debug)]
pub(super) enum WaitingItem {
    Parcel {
        parcel: Parcel,
        pushed_ms: Millis,
    },
    BestEffort {
        stream: BestEffortStream,
        bytes: Bytes,
    },
}

impl WaitingItem {
    pub fn bytes(&self) -> &Bytes {
        match self {
            WaitingItem::Parcel { parcel, .. } => &parcel.bytes,
            WaitingItem::BestEffort { bytes, .. } => bytes,
        }
    }
}

/// A tenant's queue. Positions count from its first entry ever, so that they stay true while it moves.
#[derive(Debug, Default)]
pub(super) struct TenantQueue {
    pub entries: VecDeque<WaitingItem>,
    /// How many have left it.
    pub gone: u64,
    pub streams: BTreeMap<BestEffortStream, u64>,
}

impl TenantQueue {
    /// The envelope of this stream that waits, if one does, to be replaced where it stands: so it
    /// passes nothing that was pushed later, and a busy stream does not wait for ever.
    pub fn of_stream(&self, stream: &BestEffortStream) -> Option<&Bytes> {
        let at = self.streams.get(stream)? - self.gone;
        self.entries.get(at as usize).map(WaitingItem::bytes)
    }
}
