//! What waits for a lane: a queue a tenant, emptied in turns.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use protocol::TenantId;
use protocol::lane::charge;
use protocol::limits::LANE_TURN_BYTES;

use super::{Parcel, Stream};
use crate::env::Millis;

/// One envelope that waits.
#[derive(Debug)]
pub(super) enum Waiting {
    Parcel {
        parcel: Parcel,
        pushed_ms: Millis,
    },
    BestEffort {
        tenant: TenantId,
        stream: Stream,
        bytes: Bytes,
    },
}

impl Waiting {
    fn bytes(&self) -> &Bytes {
        match self {
            Waiting::Parcel { parcel, .. } => &parcel.bytes,
            Waiting::BestEffort { bytes, .. } => bytes,
        }
    }

    fn tenant(&self) -> &TenantId {
        match self {
            Waiting::Parcel { parcel, .. } => &parcel.tenant,
            Waiting::BestEffort { tenant, .. } => tenant,
        }
    }
}

/// A tenant's queue. Positions count from its first entry ever, so that they stay true while it moves.
#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Waiting>,
    gone: u64,
    streams: BTreeMap<Stream, u64>,
}

/// All queues, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    queues: BTreeMap<TenantId, Queue>,
    turns: VecDeque<TenantId>,
    /// What the first one in turn has had of its turn.
    turn_bytes: usize,
    bytes: usize,
}

impl WaitingRoom {
    /// What waits is charged with, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends to the tenant's queue.
    pub fn push(&mut self, waiting: Waiting) {
        self.bytes += charge(waiting.bytes());
        let queue = match self.queues.entry(waiting.tenant().clone()) {
            Entry::Occupied(queue) => queue.into_mut(),
            Entry::Vacant(place) => {
                self.turns.push_back(place.key().clone());
                place.insert(Queue::default())
            }
        };
        if let Waiting::BestEffort { stream, .. } = &waiting {
            let at = queue.gone + queue.entries.len() as u64;
            queue.streams.insert(stream.clone(), at);
        }
        queue.entries.push_back(waiting);
    }

    /// The envelope of this stream that waits, if one does, to be replaced where it stands: so it
    /// passes nothing that was pushed later, and a busy stream does not wait for ever.
    pub fn of_stream(&self, tenant: &TenantId, stream: &Stream) -> Option<&Bytes> {
        let queue = self.queues.get(tenant)?;
        let at = queue.streams.get(stream)? - queue.gone;
        queue.entries.get(at as usize).map(Waiting::bytes)
    }

    /// Puts `newer` in the place of what [`of_stream`](Self::of_stream) found.
    pub fn replace(&mut self, tenant: &TenantId, stream: &Stream, newer: Bytes) {
        let Some(queue) = self.queues.get_mut(tenant) else {
            return;
        };
        let at = queue.streams.get(stream).map(|at| at - queue.gone);
        let entry = at.and_then(|at| queue.entries.get_mut(at as usize));
        if let Some(Waiting::BestEffort { bytes, .. }) = entry {
            self.bytes = self.bytes - charge(bytes) + charge(&newer);
            *bytes = newer;
        }
    }

    /// Takes the next one in turn if it has at most `room` bytes. Who has had a turn is last; who
    /// needs more room stays first. A turn is as many as [`LANE_TURN_BYTES`] begin: what came
    /// together arrives together, and is written to its socket at once.
    pub fn pop(&mut self, room: usize) -> Option<Waiting> {
        let queue = self.queues.get_mut(self.turns.front()?)?;
        if charge(queue.entries.front()?.bytes()) > room {
            return None;
        }
        let waiting = queue.entries.pop_front()?;
        self.bytes -= charge(waiting.bytes());
        self.turn_bytes += charge(waiting.bytes());
        if let Waiting::BestEffort { stream, .. } = &waiting {
            queue.streams.remove(stream);
        }
        queue.gone += 1;
        let is_empty = queue.entries.is_empty();
        if is_empty || self.turn_bytes >= LANE_TURN_BYTES {
            self.turn_bytes = 0;
            let tenant = self.turns.pop_front()?;
            if is_empty {
                self.queues.remove(&tenant);
            } else {
                self.turns.push_back(tenant);
            }
        }
        Some(waiting)
    }
}
