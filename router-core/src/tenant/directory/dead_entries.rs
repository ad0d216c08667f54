//! Entries of dead and of unknown nodes: what is still to be done about them.

use std::collections::BTreeSet;

use protocol::BootId;

use crate::env::Millis;
use crate::membership::NodeView;

/// Nodes whose entries this replica has or had, and that are not known to live.
#[derive(Debug, Default)]
pub(super) struct DeadEntries {
    /// When to have the store release what dead nodes held.
    release_ms: Option<Millis>,
    /// Nodes with entries that this one did not know when it saw them.
    unknown: BTreeSet<BootId>,
}

impl DeadEntries {
    /// A node has entries; says whether somebody has to look for it now.
    pub fn discover(&mut self, nodes: &NodeView, boot: BootId) -> bool {
        let is_unknown = nodes.shared && !nodes.is_live(boot);
        is_unknown && self.unknown.insert(boot)
    }

    /// Those who are still unknown: somebody has to look for them again.
    pub fn still_unknown(&mut self, nodes: &NodeView) -> impl Iterator<Item = BootId> {
        let is_known = |boot: BootId| nodes.is_live(boot) || nodes.is_dead(boot);
        self.unknown.retain(|boot| !is_known(*boot));
        self.unknown.iter().copied()
    }

    /// Has the store release what dead nodes held, in a while.
    pub fn release_at(&mut self, at_ms: Millis) {
        self.release_ms.get_or_insert(at_ms);
    }

    /// Whether the store is to be asked for that now.
    pub fn take_due(&mut self, now_ms: Millis) -> bool {
        self.release_ms.take_if(|at_ms| now_ms >= *at_ms).is_some()
    }

    /// Whether the store has released what dead nodes held, or was asked for it.
    pub fn is_settled(&self) -> bool {
        self.release_ms.is_none()
    }

    pub fn next_wakeup(&self) -> Millis {
        self.release_ms.unwrap_or(Millis::MAX)
    }
}
