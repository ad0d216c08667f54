//! All of the directory, as the store has it: what this node knew and the store has not is reasserted
//! if it is this node's, and else given time to be reasserted by others.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{BotId, ConnectionId};

use super::Tenant;
use super::bots::bot::Bot;
use super::context::TenantContext;
use crate::effect::TenantEffects;
use crate::env::Env;
use crate::store::DirectorySnapshot;

/// What a snapshot has: its bots with their epochs, and its connections.
struct StoredEntries {
    /// Up to this number it has all that counts.
    final_ver: u64,
    bots: BTreeMap<BotId, u64>,
    conns: BTreeSet<ConnectionId>,
}

impl StoredEntries {
    fn of(snapshot: &DirectorySnapshot, final_ver: u64) -> Self {
        let bots = snapshot.bots.iter();
        Self {
            final_ver,
            bots: bots.map(|it| (it.info.id.clone(), it.epoch)).collect(),
            conns: snapshot.conns.iter().map(|it| it.0).collect(),
        }
    }

    /// Whether it has not a bot, or an older claim of it.
    fn misses(&self, bot: &Bot) -> bool {
        let stored = self.bots.get(&bot.details.info.id);
        stored.is_none_or(|epoch| *epoch < bot.details.epoch)
    }
}

impl Tenant {
    /// Replaces the replica with all of the directory, whatever its number. But if the store lost data,
    /// what is missing waits for its holders.
    pub(super) fn replace(
        &mut self,
        env: &Env<'_>,
        snapshot: DirectorySnapshot,
        fx: &mut TenantEffects,
    ) {
        let lost = self.directory.take_snapshot(&snapshot);
        self.stored_policy(env, snapshot.policy.clone(), fx);
        let stored = StoredEntries::of(&snapshot, self.directory.final_ver());
        for seen in snapshot.clients {
            self.members.see(seen);
        }
        for (conn, record) in snapshot.conns {
            self.apply_conn(env, conn, record, fx);
        }
        self.bound_clients();
        for record in snapshot.bots {
            if !lost && !self.directory.is_healing() {
                self.bots
                    .go_back(&record.info.id, record.epoch, stored.final_ver);
            }
            self.apply_bot(env, record, fx);
        }
        self.reassert_missing(env, &stored, lost, fx);
        for event in self.directory.take_waiting_events() {
            self.event(env, event, fx);
            // What is asked for now has the rest of them.
            if self.directory.is_reading() {
                break;
            }
        }
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.directory.compare_later(&ctx);
    }

    /// What the replica has and the store has not, or an older claim of: own entries are reasserted;
    /// others' are gone, or lost and have time to be reasserted.
    fn reassert_missing(
        &mut self,
        env: &Env<'_>,
        stored: &StoredEntries,
        lost: bool,
        fx: &mut TenantEffects,
    ) {
        let bots = self.bots.iter().filter(|bot| stored.misses(bot));
        // A later claim came after the snapshot.
        let bots = bots.filter(|bot| lost || bot.details.epoch <= stored.final_ver);
        let (own, others): (Vec<_>, Vec<_>) = bots.partition(|bot| bot.here().is_some());
        let others = others.into_iter().map(|bot| bot.details.info.id.clone());
        let others: BTreeSet<BotId> = others.collect();
        let conns = self.members.remote().map(|(id, _)| id);
        let conns = conns.filter(|id| !stored.conns.contains(*id));
        let conns: BTreeSet<ConnectionId> = conns.copied().collect();
        let outbox = self.directory.outbox_mut();
        for bot in own {
            outbox.reassert_bot(bot.details.info.id.clone());
        }
        for (key, id) in self.members.listed() {
            if !stored.conns.contains(&id) {
                outbox.reassert_conn(key);
            }
        }
        if lost {
            let ctx = TenantContext::new(env, &self.receipts, &self.limits);
            self.directory.begin_healing(&ctx, fx);
        } else if !self.directory.is_healing() {
            self.drop_others(env, others, conns, fx);
        }
        self.reassert(env, fx);
    }

    fn drop_others(
        &mut self,
        env: &Env<'_>,
        bots: BTreeSet<BotId>,
        conns: BTreeSet<ConnectionId>,
        fx: &mut TenantEffects,
    ) {
        for bot in bots {
            self.unlist(env, &bot, fx);
        }
        for conn in conns {
            self.members.remove_remote(&conn);
        }
    }
}
