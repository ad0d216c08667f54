//! Nodes that somebody names and that this one has never seen beat.

use std::collections::BTreeMap;

use protocol::BootId;

use super::{BEAT_MS, DEAD_MS, PEERS_MAX};
use crate::env::Millis;

/// In how many looks an unknown node is absent before it counts as dead.
const LOOKS: u64 = 2;
/// The same when the store has lost its data since: who lives has to write its entry again.
const LOOKS_AFTER_LOSS: u64 = DEAD_MS / BEAT_MS + 1;

/// Who is unknown, since when, and in how many more looks it must be absent.
#[derive(Debug, Default)]
pub(super) struct Unknown(BTreeMap<BootId, (Millis, u64)>);

impl Unknown {
    /// Says whether it is new here. Too many: it is passed over.
    pub(super) fn insert(&mut self, now_ms: Millis, boot: BootId) -> bool {
        let room = self.0.len() < PEERS_MAX;
        let is_new = room && !self.0.contains_key(&boot);
        if is_new {
            self.0.insert(boot, (now_ms, LOOKS));
        }
        is_new
    }

    /// The store lost its data: absence means nothing for a while.
    pub(super) fn count_anew(&mut self, now_ms: Millis) {
        for unknown in self.0.values_mut() {
            *unknown = (now_ms, LOOKS_AFTER_LOSS);
        }
    }

    /// Looks at the beats that were asked for at `began_ms`. Who is there is unknown no more; returns
    /// who was absent often enough.
    pub(super) fn absent(
        &mut self,
        began_ms: Millis,
        beats: &BTreeMap<BootId, u64>,
    ) -> Vec<BootId> {
        self.0.retain(|boot, _| !beats.contains_key(boot));
        for (met_ms, looks) in self.0.values_mut() {
            *looks -= u64::from(began_ms >= *met_ms);
        }
        let dead = self.0.extract_if(.., |_, (_, looks)| *looks == 0);
        dead.map(|(boot, _)| boot).collect()
    }
}
