//! The sockets of a listener that have shown no credential, by source and by age.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use router_core::auth::Source;
use tokio::task::AbortHandle;

use super::limits::GateRefusal;

/// The sockets that have shown no credential.
#[derive(Debug, Default)]
pub(super) struct UnauthenticatedSockets {
    /// Counted up, so that the least id is the oldest socket.
    next_id: u64,
    pub(super) sockets: HashMap<u64, WaitingSocket>,
    pub(super) sources: HashMap<Source, BTreeSet<u64>>,
    /// The sources by their number of sockets, and among equals by the age of the oldest.
    pub(super) ranks: BTreeMap<(usize, Reverse<u64>), Source>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct WaitingSocket {
    pub(super) source: Source,
    pub(super) task: Option<AbortHandle>,
}

impl UnauthenticatedSockets {
    pub(super) fn count(&self, source: Source) -> usize {
        self.sources.get(&source).map_or(0, BTreeSet::len)
    }

    pub(super) fn insert(&mut self, source: Source) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.change(source, |ids| ids.insert(id));
        self.sockets
            .insert(id, WaitingSocket { source, task: None });
        id
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<WaitingSocket> {
        let waiting = self.sockets.remove(&id)?;
        self.change(waiting.source, |ids| ids.remove(&id));
        Some(waiting)
    }

    pub(super) fn moved(
        &mut self,
        id: u64,
        source: Source,
        per_source: usize,
    ) -> Result<(), GateRefusal> {
        let Some(waiting) = self.sockets.get_mut(&id) else {
            return Ok(());
        };
        if waiting.source == source {
            return Ok(());
        }
        if self.sources.get(&source).map_or(0, BTreeSet::len) >= per_source {
            return Err(GateRefusal::Source);
        }
        let old = std::mem::replace(&mut waiting.source, source);
        self.change(old, |ids| ids.remove(&id));
        self.change(source, |ids| ids.insert(id));
        Ok(())
    }

    /// Takes out the oldest socket of the source that has the most.
    pub(super) fn displace(&mut self) -> Option<WaitingSocket> {
        let (&(_, Reverse(id)), _) = self.ranks.last_key_value()?;
        self.remove(id)
    }

    /// Changes the sockets of a source, and its rank with them.
    fn change(&mut self, source: Source, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let mut ids = self.sources.remove(&source).unwrap_or_default();
        if let Some(rank) = rank_of(&ids) {
            self.ranks.remove(&rank);
        }
        change(&mut ids);
        if let Some(rank) = rank_of(&ids) {
            self.ranks.insert(rank, source);
            self.sources.insert(source, ids);
        }
    }
}

fn rank_of(ids: &BTreeSet<u64>) -> Option<(usize, Reverse<u64>)> {
    ids.first().map(|oldest| (ids.len(), Reverse(*oldest)))
}
