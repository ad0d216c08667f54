//! Nodes that died: what the directory has of them goes, here at once and in the store soon. And
//! this node's own burial, after which it says again what it holds.

use std::collections::BTreeSet;

use protocol::presence::BotState;
use protocol::{BootId, BotId, ConnectionId};

use super::routes::{Bot, Home};
use super::{Asked, Tenant};
use crate::effect::{TenantEffect, TenantEffects};
use crate::env::{Env, Millis};
use crate::store::{Ask, Reply};

/// What is still to be done about the dead.
#[derive(Debug, Default)]
pub(super) struct Burials {
    /// When to tell the store of the buried that this replica had entries of.
    reap_ms: Option<Millis>,
    /// Nodes with entries that this one did not know when it met them.
    unknown: BTreeSet<BootId>,
}

impl Burials {
    pub fn next_wakeup(&self) -> Millis {
        self.reap_ms.unwrap_or(Millis::MAX)
    }
}

impl Tenant {
    /// A node has entries: if nobody here knows it, somebody has to look.
    pub(super) fn meet(&mut self, env: &Env<'_>, boot: BootId, fx: &mut TenantEffects) {
        let is_unknown = env.nodes.shared && !env.nodes.is_live(boot);
        if is_unknown && self.directory.burials.unknown.insert(boot) {
            fx.push(TenantEffect::Met(boot));
        }
    }

    /// Asks again to look for those who are still unknown.
    pub(super) fn meet_again(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let unknown = &mut self.directory.burials.unknown;
        unknown.retain(|boot| !env.nodes.is_live(*boot) && !env.nodes.is_dead(*boot));
        for boot in unknown.iter() {
            fx.push(TenantEffect::Met(*boot));
        }
    }

    pub(super) fn reap_soon(&mut self, env: &Env<'_>) {
        // At a random time, so that the first of the nodes does it for all.
        let wait_ms = 100 + (env.jitter_of(&self.id) * 900.0) as Millis;
        self.directory
            .burials
            .reap_ms
            .get_or_insert(env.now_ms + wait_ms);
    }

    pub(super) fn wake_burials(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let reap_ms = &mut self.directory.burials.reap_ms;
        if reap_ms.take_if(|at_ms| env.now_ms >= *at_ms).is_some() {
            let dead = env.nodes.dead.clone();
            self.ask(env, Ask::Reap { dead }, Asked::Reap, fx);
        }
    }

    /// Asks the store again if it did not release what dead nodes held: nothing else repeats that request.
    pub(super) fn reaped(&mut self, env: &Env<'_>, reply: &Reply) {
        if *reply != Reply::Done {
            self.reap_soon(env);
        }
    }

    /// A node was buried: what it held here is gone at once, and soon in the store.
    pub(crate) fn gone(&mut self, env: &Env<'_>, boot: BootId) {
        let conns = self.routes.there().iter();
        let conns = conns.filter(|(_, record)| record.boot == boot);
        let conns: BTreeSet<ConnectionId> = conns.map(|(id, _)| *id).collect();
        let is_there = |bot: &Bot| matches!(&bot.home, Some(Home::There(it)) if it.boot == boot);
        let bots = self.routes.bots().filter(|bot| is_there(bot));
        let bots: Vec<BotId> = bots.map(|bot| bot.about.info.id.clone()).collect();
        if conns.is_empty() && bots.is_empty() {
            return;
        }
        self.reap_soon(env);
        for id in bots {
            if let Some(bot) = self.routes.bot_mut(&id) {
                bot.home = None;
                bot.about.info.status = BotState::Offline;
                bot.about.info.since = env.unix_ms;
                let info = bot.about.info.clone();
                self.presence.changed(&info, env.now_ms);
            }
        }
        for conn in conns {
            if let Some(record) = self.routes.there().get(&conn) {
                let seen = (record.client.clone(), env.unix_ms);
                self.routes.remove_there(&conn);
                self.routes.see(seen);
            }
        }
        self.bound_clients();
    }

    /// This node goes on under a new name: all that it holds is said again.
    pub(crate) fn reborn(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let here = self.routes.bots().filter(|bot| bot.here().is_some());
        let here: Vec<BotId> = here.map(|bot| bot.about.info.id.clone()).collect();
        for bot in here {
            self.say_again_bot(bot);
        }
        for (key, _) in self.routes.entered() {
            self.say_again_conn(key);
        }
        self.say_again(env, fx);
    }
}
