//! All of the directory, as the store has it: what this node knew and the store has not is said
//! again if it is this node's, and else given time to be said again by others.

use std::collections::{BTreeMap, BTreeSet};

use protocol::limits::HEAL_MS;
use protocol::{BotId, ConnectionId};

use super::Tenant;
use super::routes::Bot;
use crate::effect::{Fact, TenantEffect, TenantEffects};
use crate::env::Env;
use crate::store::{BotRecord, Snapshot};

/// The bots of a snapshot, with their epochs.
type Listed = BTreeMap<BotId, u64>;

impl Tenant {
    /// All of the directory, as the store has it. It replaces the replica, whatever its number; but
    /// if it is lower, or another directory, the store lost data, and what is missing waits for its
    /// holders.
    pub(super) fn replace(&mut self, env: &Env<'_>, snapshot: Snapshot, fx: &mut TenantEffects) {
        let known = &self.directory;
        let other_birth = known.born != 0 && snapshot.born != known.born;
        let seen_elsewhere = Some(known.known_when_asked).filter(|ver| *ver > known.accepted_ver);
        let is_older = snapshot.ver < known.ver.max(seen_elsewhere.unwrap_or(0));
        let lost = is_older || other_birth || known.forked;
        self.directory.born = snapshot.born;
        self.directory.reading = false;
        self.directory.saw(snapshot.ver);
        self.directory.ver = snapshot.ver;
        self.directory.doubtful = false;
        self.directory.forked = false;
        self.directory.unseen = false;
        self.take_policy(env, snapshot.policy);
        self.expel_strangers(env, fx);
        let bots = snapshot.bots.iter();
        let listed: Listed = bots.map(|it| (it.info.id.clone(), it.epoch)).collect();
        let there: BTreeSet<ConnectionId> = snapshot.conns.iter().map(|it| it.0).collect();
        for seen in snapshot.clients {
            self.routes.see(seen);
        }
        for (conn, record) in snapshot.conns {
            self.apply_conn(env, conn, record, fx);
        }
        self.bound_clients();
        for record in snapshot.bots {
            if !lost && self.directory.heal_until_ms.is_none() {
                self.go_back(&record, snapshot.ver);
            }
            self.apply_bot(env, record, fx);
        }
        self.missing(env, snapshot.ver, &listed, &there, lost, fx);
        for (_, event) in std::mem::take(&mut self.directory.waiting) {
            self.event(env, event, fx);
            // What is asked for now has the rest of them.
            if self.directory.reading {
                break;
            }
        }
        self.compare_later(env);
    }

    /// The store lost a later claim of another node, and nobody has said it again: what is stored
    /// holds, although it is older.
    fn go_back(&mut self, record: &BotRecord, ver: u64) {
        if let Some(known) = self.routes.bot_mut(&record.info.id)
            && known.here().is_none()
            && known.about.epoch <= ver
        {
            known.about.epoch = known.about.epoch.min(record.epoch);
        }
    }

    /// What the replica has and the store has not, or an older claim of: own entries are said again;
    /// others' are gone, or lost and have time to be said again.
    fn missing(
        &mut self,
        env: &Env<'_>,
        ver: u64,
        listed: &Listed,
        there: &BTreeSet<ConnectionId>,
        lost: bool,
        fx: &mut TenantEffects,
    ) {
        let is_missing = |bot: &&Bot| {
            let known = listed.get(&bot.about.info.id);
            known.is_none_or(|epoch| *epoch < bot.about.epoch)
        };
        let bots = self.routes.bots().filter(is_missing);
        // A claim above the snapshot came after it.
        let bots = bots.filter(|bot| lost || bot.about.epoch <= ver);
        let (own, others): (Vec<_>, Vec<_>) = bots.partition(|bot| bot.here().is_some());
        let own: Vec<BotId> = own
            .into_iter()
            .map(|bot| bot.about.info.id.clone())
            .collect();
        let others = others.into_iter().map(|bot| bot.about.info.id.clone());
        let others: BTreeSet<BotId> = others.collect();
        let conns = self.routes.there().keys().filter(|id| !there.contains(*id));
        let conns: BTreeSet<ConnectionId> = conns.cloned().collect();
        for bot in own {
            self.say_again_bot(bot);
        }
        for (key, id) in self.routes.entered() {
            if !there.contains(&id) {
                self.say_again_conn(key);
            }
        }
        if lost {
            self.directory.heal_until_ms = Some(env.now_ms + HEAL_MS);
            fx.push(TenantEffect::Note(Fact::StoreLostData));
        } else if self.directory.heal_until_ms.is_none() {
            self.drop_others(env, others, conns, fx);
        }
        self.say_again(env, fx);
    }

    fn drop_others(
        &mut self,
        env: &Env<'_>,
        bots: BTreeSet<BotId>,
        conns: BTreeSet<ConnectionId>,
        fx: &mut TenantEffects,
    ) {
        for bot in bots {
            self.apply_forgotten(env, &bot, fx);
        }
        for conn in conns {
            self.routes.remove_there(&conn);
        }
    }

    /// What no node registered again in time is removed. From then on the store counts, whatever it holds.
    pub(super) fn wake_healing(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let until_ms = self.directory.heal_until_ms;
        if until_ms.is_some_and(|until_ms| env.now_ms >= until_ms) {
            self.directory.heal_until_ms = None;
            // Else a number that the store never reaches would be a loss in every answer.
            self.directory.accepted_ver = self.directory.known_ver;
            self.directory.doubtful = true;
            self.read(env, fx);
        }
    }
}
