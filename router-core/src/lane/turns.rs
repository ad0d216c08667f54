//! Whose turn it is on a lane: the queues of its tenants are emptied in turns.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::lane::charge;
use protocol::limits::LANE_TURN_BYTES;

use super::accounts::{AccountNumber, LaneAccounts};
use super::parcel::BestEffortStream;
use super::queue::{TenantQueue, WaitingItem};

/// Whose turn it is, of those in whose queue something waits.
#[derive(Debug, Default)]
pub(super) struct TurnQueue {
    turns: VecDeque<AccountNumber>,
    /// What the first one in turn has had of its turn.
    turn_bytes: usize,
    bytes: usize,
}

impl TurnQueue {
    /// What waits is charged with, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends to the queue of an account.
    pub fn push(
        &mut self,
        accounts: &mut LaneAccounts,
        account: AccountNumber,
        waiting: WaitingItem,
    ) {
        self.bytes += charge(waiting.bytes());
        let queue = &mut accounts[account].queue;
        if queue.entries.is_empty() {
            self.turns.push_back(account);
        }
        if let WaitingItem::BestEffort { stream, .. } = &waiting {
            let at = queue.gone + queue.entries.len() as u64;
            queue.streams.insert(stream.clone(), at);
        }
        queue.entries.push_back(waiting);
    }

    /// Puts `newer` in the place of what [`of_stream`](TenantQueue::of_stream) found.
    pub fn replace(&mut self, queue: &mut TenantQueue, stream: &BestEffortStream, newer: Bytes) {
        let at = queue.streams.get(stream).map(|at| at - queue.gone);
        let entry = at.and_then(|at| queue.entries.get_mut(at as usize));
        if let Some(WaitingItem::BestEffort { bytes, .. }) = entry {
            self.bytes = self.bytes - charge(bytes) + charge(&newer);
            *bytes = newer;
        }
    }

    /// Takes the next one in turn if it has at most `room` bytes. Who has had a turn is last; who
    /// needs more room stays first. A turn is as many as [`LANE_TURN_BYTES`] begin: what came
    /// together arrives together, and is written to its socket at once.
    pub fn pop(
        &mut self,
        accounts: &mut LaneAccounts,
        room: usize,
    ) -> Option<(AccountNumber, WaitingItem)> {
        let account = *self.turns.front()?;
        let queue = &mut accounts[account].queue;
        if charge(queue.entries.front()?.bytes()) > room {
            return None;
        }
        let waiting = queue.entries.pop_front()?;
        self.bytes -= charge(waiting.bytes());
        self.turn_bytes += charge(waiting.bytes());
        if let WaitingItem::BestEffort { stream, .. } = &waiting {
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
