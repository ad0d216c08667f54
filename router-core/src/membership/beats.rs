//! What follows from the others' beats: who joined, who stands still, who is dead.

use std::collections::BTreeMap;

use protocol::BootId;

use super::times::{DEAD_MS, DESCRIBE_AGAIN_MS, GAP_MAX_MS, LOOK_FOR_NEW_MS, PEERS_MAX};
use super::{MembershipMachine, NodeEffect, PeerNode};
use crate::env::Millis;
use crate::store::nodes::NodeQuery;

impl MembershipMachine {
    pub(super) fn on_beats(
        &mut self,
        now_ms: Millis,
        began_ms: Millis,
        generation: u64,
        beats: Vec<(BootId, u64)>,
        fx: &mut Vec<NodeEffect>,
    ) {
        self.health.beat_succeeded(began_ms);
        self.judge(now_ms, fx);
        self.on_generation(now_ms, generation, fx);

        // From begin to begin: those are whole seconds apart, and a slow answer adds nothing.
        let healthy_ms = self.healthy_from_ms.map_or(0, |from_ms| {
            began_ms.saturating_sub(from_ms).min(GAP_MAX_MS)
        });
        self.healthy_from_ms = (!self.view.degraded).then_some(began_ms);

        let mut beats: BTreeMap<BootId, u64> = beats.into_iter().collect();
        beats.remove(&self.view.own);
        self.look_at_absent(now_ms, &beats, healthy_ms, fx);
        self.look_for_unknown(now_ms, began_ms, &beats, fx);
        for (boot, beat) in beats {
            self.look_at_present(now_ms, boot, beat, healthy_ms, fx);
        }
        self.describe(now_ms, fx);
        if self.dead.forget(now_ms) {
            self.list_dead();
        }
    }

    /// All counts start at zero, and the time until the next answer does not count.
    pub(super) fn count_anew(&mut self) {
        self.healthy_from_ms = None;
        for peer in self.view.peers.values_mut() {
            self.view_changed |= peer.count(0);
        }
    }

    pub(super) fn on_evicted(&mut self, now_ms: Millis, boot: BootId, fx: &mut Vec<NodeEffect>) {
        if self.view.peers.remove(&boot).is_some() {
            self.remember_dead(now_ms, boot);
            fx.push(NodeEffect::Evicted(boot));
        }
    }

    pub(super) fn remember_dead(&mut self, now_ms: Millis, boot: BootId) {
        self.dead.insert(now_ms, boot);
        self.list_dead();
    }

    fn list_dead(&mut self) {
        self.view.dead = self.dead.list();
        self.view_changed = true;
    }

    fn on_generation(&mut self, now_ms: Millis, generation: u64, fx: &mut Vec<NodeEffect>) {
        self.known_generation = Some(generation);
        let old = self.view.generation.replace(generation);
        if old == Some(generation) {
            return;
        }
        self.view_changed = true;
        if old.is_some() {
            // Everybody has to write its entry again; until then its absence means nothing.
            self.count_anew();
            for peer in self.view.peers.values_mut() {
                peer.listed = false;
            }
            self.unknown.count_anew(now_ms);
            self.hello_due_ms = now_ms;
            fx.push(NodeEffect::GenerationChanged);
        }
    }

    fn look_at_absent(
        &mut self,
        now_ms: Millis,
        beats: &BTreeMap<BootId, u64>,
        healthy_ms: Millis,
        fx: &mut Vec<NodeEffect>,
    ) {
        let mut gone = Vec::new();
        for (boot, peer) in &mut self.view.peers {
            if beats.contains_key(boot) {
                continue;
            }
            if peer.listed {
                gone.push(*boot);
                continue;
            }
            self.view_changed |= peer.missed(healthy_ms);
            // Nothing to remove in the store. If it comes back it is evicted then.
            if peer.unchanged_ms >= DEAD_MS && !self.view.degraded {
                gone.push(*boot);
            }
        }
        for boot in gone {
            self.on_evicted(now_ms, boot, fx);
        }
    }

    /// Somebody names a node that this one has never seen: it is new, or it was dead before this one
    /// began, and nobody remembers. Whoever has an entry or a lane has beaten before, or will within a
    /// second if the store lost that.
    pub(super) fn on_discovered(&mut self, now_ms: Millis, boot: BootId) {
        let is_known = self.view.is_live(boot) || self.dead.contains(boot);
        if !is_known && self.unknown.insert(now_ms, boot) {
            self.look_again(now_ms, LOOK_FOR_NEW_MS);
        }
    }

    fn look_for_unknown(
        &mut self,
        now_ms: Millis,
        began_ms: Millis,
        beats: &BTreeMap<BootId, u64>,
        fx: &mut Vec<NodeEffect>,
    ) {
        if self.view.degraded {
            return;
        }
        for boot in self.unknown.absent(began_ms, beats) {
            self.remember_dead(now_ms, boot);
            fx.push(NodeEffect::Evicted(boot));
        }
    }

    fn look_at_present(
        &mut self,
        now_ms: Millis,
        boot: BootId,
        beat: u64,
        healthy_ms: Millis,
        fx: &mut Vec<NodeEffect>,
    ) {
        let is_dead = self.dead.contains(boot);
        if is_dead {
            // Something wrote it back: a failover to older data, or its own late renewal.
            self.dead.insert(now_ms, boot);
        } else if let Some(peer) = self.view.peers.get_mut(&boot) {
            let had_moved = peer.has_moved;
            self.view_changed |= peer.seen(beat, healthy_ms);
            if !had_moved && peer.has_moved && peer.hello.is_some() {
                fx.push(NodeEffect::Described(boot));
            }
        } else if self.view.peers.len() < PEERS_MAX {
            self.view.peers.insert(boot, PeerNode::new(beat));
            self.view_changed = true;
            fx.push(NodeEffect::Joined(boot));
        }
        let peer = self.view.peers.get(&boot);
        let stands_still = peer.is_some_and(|peer| peer.unchanged_ms >= DEAD_MS);
        if (is_dead || stands_still) && !self.view.degraded {
            fx.push(NodeEffect::Ask(NodeQuery::Evict { boot, beat }));
        }
    }

    /// Asks what peers say of themselves: those that are unknown, and now and then those that do not
    /// fit this node.
    fn describe(&self, now_ms: Millis, fx: &mut Vec<NodeEffect>) {
        let peers = self.view.peers.iter();
        let wanted = peers.filter(|(_, peer)| {
            let does_fit = peer.terms.is_ok() && !self.view.secret_gap(peer).is_wrong_order();
            let age_ms = now_ms.saturating_sub(peer.described_ms);
            let is_old = age_ms >= DESCRIBE_AGAIN_MS;
            let is_followed = age_ms >= self.describe_again_ms;
            peer.hello.is_none() || (if does_fit { is_followed } else { is_old })
        });
        fx.extend(wanted.map(|(boot, _)| NodeEffect::Ask(NodeQuery::Describe(*boot))));
    }
}
