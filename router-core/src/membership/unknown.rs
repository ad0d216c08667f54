//! Nodes that somebody names and that this one has never seen beat.

use std::collections::BTreeMap;

use protocol::BootId;

use super::times::{BEAT_MS, DEAD_MS, PEERS_MAX};
use crate::env::Millis;

/// In how many looks an unknown node is absent before it counts as dead.
const LOOKS: u64 = 2;
/// The same when the store has lost its data since: who lives has to write its entry again.
const LOOKS_AFTER_LOSS: u64 = DEAD_MS / BEAT_MS + 1;

/// Nodes that are named and not known.
#[derive(Debug, Default)]
pub(super) struct UnknownNodes {
    nodes: BTreeMap<BootId, AbsentNode>,
    /// When the store was last seen to have lost its data.
    lost_ms: Option<Millis>,
}

#[derive(Debug)]
struct AbsentNode {
    /// A look that began before counts for nothing: a living node has a beat in between.
    from_ms: Millis,
    /// In how many more looks it must be absent.
    looks: u64,
}

impl UnknownNodes {
    /// Says whether it is new here. Too many: it is passed over.
    pub(super) fn insert(&mut self, now_ms: Millis, boot: BootId) -> bool {
        let is_new = self.nodes.len() < PEERS_MAX && !self.nodes.contains_key(&boot);
        if is_new {
            let is_lost = |lost_ms| now_ms < lost_ms + DEAD_MS + BEAT_MS;
            let looks = match self.lost_ms.is_some_and(is_lost) {
                true => LOOKS_AFTER_LOSS,
                false => LOOKS,
            };
            let from_ms = now_ms;
            self.nodes.insert(boot, AbsentNode { from_ms, looks });
        }
        is_new
    }

    /// The store lost its data: absence means nothing for a while.
    pub(super) fn count_anew(&mut self, now_ms: Millis) {
        self.lost_ms = Some(now_ms);
        for absent in self.nodes.values_mut() {
            absent.from_ms = now_ms;
            absent.looks = LOOKS_AFTER_LOSS;
        }
    }

    /// Looks at the beats that were asked for at `began_ms`. Who is there is unknown no more; returns
    /// who was absent often enough.
    pub(super) fn absent(
        &mut self,
        began_ms: Millis,
        beats: &BTreeMap<BootId, u64>,
    ) -> Vec<BootId> {
        self.nodes.retain(|boot, _| !beats.contains_key(boot));
        for absent in self.nodes.values_mut() {
            if began_ms >= absent.from_ms {
                absent.from_ms = began_ms + BEAT_MS;
                absent.looks -= 1;
            }
        }
        let dead = self.nodes.extract_if(.., |_, absent| absent.looks == 0);
        dead.map(|(boot, _)| boot).collect()
    }
}
