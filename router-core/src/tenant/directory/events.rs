//! Steps and snapshots of the directory: which of them follow the replica, and which show a loss.

use protocol::limits::{EVENTS_WAITING_MAX, HEAL_MS};

use super::Directory;
use crate::effect::{RouterFact, TenantEffect, TenantEffects};
use crate::store::{DirectoryChange, DirectoryEvent, DirectorySnapshot};
use crate::tenant::context::TenantContext;

impl Directory {
    /// Takes a step of the directory, as its maker told all nodes. Returns its changes, if they take
    /// effect now.
    pub fn take_event(
        &mut self,
        ctx: &TenantContext<'_>,
        event: DirectoryEvent,
        fx: &mut TenantEffects,
    ) -> Option<Vec<DirectoryChange>> {
        self.saw(event.ver);
        if self.reading || !self.is_loaded {
            // Too many: those that are missing will show as a gap.
            if self.waiting.len() < EVENTS_WAITING_MAX {
                self.waiting.insert(event.ver, event);
            }
            return None;
        }
        if event.ver <= self.ver && !self.doubtful {
            return None;
        }
        if event.prev != self.ver || self.doubtful {
            // It follows a step that this replica is beyond of, and is beyond that itself: the store
            // went back, and then on.
            let own = self.ver;
            self.forked |= event.prev < own && own < event.ver;
            self.read(ctx, fx);
            return None;
        }
        self.ver = event.ver;
        if event.prev == 0 {
            self.born = event.ver;
        }
        self.unseen = false;
        Some(event.changes)
    }

    /// The events that came while the directory was read, in their order.
    pub fn take_waiting_events(&mut self) -> impl Iterator<Item = DirectoryEvent> + use<> {
        std::mem::take(&mut self.waiting).into_values()
    }

    /// Takes where a snapshot stands, whatever its number. Says whether the store lost data: its
    /// number is lower than one that was seen, or it is another directory.
    pub fn take_snapshot(&mut self, snapshot: &DirectorySnapshot) -> bool {
        let other_birth = self.born != 0 && snapshot.born != self.born;
        let seen_elsewhere = Some(self.known_when_asked).filter(|ver| *ver > self.accepted_ver);
        let is_older = snapshot.ver < self.ver.max(seen_elsewhere.unwrap_or(0));
        let lost = is_older || other_birth || self.forked;
        self.is_loaded = true;
        self.born = snapshot.born;
        self.reading = false;
        self.saw(snapshot.ver);
        self.ver = snapshot.ver;
        self.doubtful = false;
        self.forked = false;
        self.unseen = false;
        self.comparison.agree();
        lost
    }

    /// Up to this number the snapshot that was taken last has all that counts. A claim above it came after the
    /// snapshot.
    pub fn final_ver(&self) -> u64 {
        self.ver.max(self.accepted_ver)
    }

    /// Whether what the store lost may still be reasserted.
    pub fn is_healing(&self) -> bool {
        self.heal_until_ms.is_some()
    }

    /// The store lost data: what is missing waits for its holders.
    pub fn begin_healing(&mut self, ctx: &TenantContext<'_>, fx: &mut TenantEffects) {
        self.heal_until_ms = Some(ctx.env.now_ms + HEAL_MS);
        fx.push(TenantEffect::Note(RouterFact::StoreLostData));
    }

    /// What no node reasserted in time is removed. From then on the store counts, whatever it holds.
    pub(super) fn wake_healing(&mut self, ctx: &TenantContext<'_>, fx: &mut TenantEffects) {
        let until_ms = self.heal_until_ms;
        if until_ms.is_some_and(|until_ms| ctx.env.now_ms >= until_ms) {
            self.heal_until_ms = None;
            // Else a number that the store never reaches would be a loss in every answer.
            self.accepted_ver = self.known_ver;
            self.doubtful = true;
            self.read(ctx, fx);
        }
    }
}
