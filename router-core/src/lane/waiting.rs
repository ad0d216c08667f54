//! What waits for a lane: a queue a tenant, emptied in turns.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use protocol::lane::charge;
use protocol::limits::LANE_TURN_BYTES;

use super::accounts::{Accounts, Number};
use super::{Parcel, Stream};
use crate::env::Millis;

/// One envelope that waits.
#[derive(Debug)]
pub(super) enum Waiting {
    Parcel { parcel: Parcel, pushed_ms: Millis },
    BestEffort { stream: Stream, bytes: Bytes },
}

impl Waiting {
    pub fn bytes(&self) -> &Bytes {
        match self {
            Waiting::Parcel { parcel, .. } => &parcel.bytes,
            Waiting::BestEffort { bytes, .. } => bytes,
        }
    }
}

/// A tenant's queue. Positions count from its first entry ever, so that they stay true while it moves.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Waiting>,
    gone: u64,
    streams: BTreeMap<Stream, u64>,
}

impl Queue {
    /// The envelope of this stream that waits, if one does, to be replaced where it stands: so it
    /// passes nothing that was pushed later, and a busy stream does not wait for ever.
    pub fn of_stream(&self, stream: &Stream) -> Option<&Bytes> {
        let at = self.streams.get(stream)? - self.gone;
        self.entries.get(at as usize).map(Waiting::bytes)
    }
}

/// Whose turn it is, of those in whose queue something waits.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    turns: VecDeque<Number>,
    /// What the first one in turn has had of its turn.
    turn_bytes: usize,
    bytes: usize,
}

impl WaitingRoom {
    /// What waits is charged with, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends to the queue of an account.
    pub fn push(&mut self, accounts: &mut Accounts, account: Number, waiting: Waiting) {
        self.bytes += charge(waiting.bytes());
        let queue = &mut accounts[account].queue;
        if queue.entries.is_empty() {
            self.turns.push_back(account);
        }
        if let Waiting::BestEffort { stream, .. } = &waiting {
            let at = queue.gone + queue.entries.len() as u64;
            queue.streams.insert(stream.clone(), at);
        }
        queue.entries.push_back(waiting);
    }

    /// Puts `newer` in the place of what [`of_stream`](Queue::of_stream) found.
    pub fn replace(&mut self, queue: &mut Queue, stream: &Stream, newer: Bytes) {
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
    pub fn pop(&mut self, accounts: &mut Accounts, room: usize) -> Option<(Number, Waiting)> {
        let account = *self.turns.front()?;
        let queue = &mut accounts[account].queue;
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
            self.turns.pop_front();
            if !is_empty {
                self.turns.push_back(account);
            }
        }
        Some((account, waiting))
    }
}
