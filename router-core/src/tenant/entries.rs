//! What one entry of the directory, from an event or a snapshot, means for this node: for its
//! routes, and for what it holds itself.

use protocol::presence::{BotInfo, BotState};
use protocol::{BotId, ConnectionId};

use super::Tenant;
use super::routes::{Bot, Home};
use crate::effect::{Fact, TenantEffect, TenantEffects};
use crate::env::Env;
use crate::store::{BotRecord, ConnRecord, Fence};

impl Tenant {
    /// A bot is this now, by an event or a snapshot.
    pub(super) fn apply_bot(&mut self, env: &Env<'_>, record: BotRecord, fx: &mut TenantEffects) {
        self.directory.saw(record.epoch);
        let known = self.routes.bot(&record.info.id);
        if known.is_some_and(|known| record.epoch < known.about.epoch) {
            return;
        }
        let Some(holder) = record.holder.clone() else {
            return self.apply_offline(env, record, fx);
        };
        let own = holder.boot == env.nodes.own;
        let key = self.routes.key_of(&holder.conn);
        let conn = key.and_then(|key| self.routes.connection(key));
        if conn.is_some_and(|conn| conn.bots.contains(&record.info.id)) {
            let bot = record.info.id.clone();
            self.rehome(env, record, key.map(Home::Here), fx);
            // The directory has it under an earlier name of this node.
            if !own {
                self.say_again_bot(bot);
                self.say_again(env, fx);
            }
            return;
        }
        if !own {
            let boot = holder.boot;
            let is_dead = env.nodes.is_dead(boot);
            let home = (!is_dead).then(|| Home::There(Box::new(holder)));
            match is_dead {
                true => self.reap_soon(env),
                false => self.meet(env, boot, fx),
            }
            return self.rehome(env, record, home, fx);
        }
        if self.claim_came_true(env, &record, fx) || self.is_claimed_again(&record) {
            return;
        }
        let bot = record.info.id.clone();
        let fence = Fence {
            conn: holder.conn,
            epoch: record.epoch,
        };
        self.apply_offline(env, record, fx);
        self.owed.let_go_bot(bot, fence);
        self.pay(env, fx);
    }

    /// Nobody holds a bot any more. If a connection of this node does, its claim was reaped: it
    /// claims anew.
    fn apply_offline(&mut self, env: &Env<'_>, record: BotRecord, fx: &mut TenantEffects) {
        let bot = &record.info.id;
        let here = self.routes.bot(bot).and_then(Bot::here);
        if let Some(conn) = here {
            return self.claim_anew(env, conn, bot.clone(), fx);
        }
        self.rehome(env, record, None, fx);
    }

    pub(super) fn apply_forgotten(&mut self, env: &Env<'_>, bot: &BotId, fx: &mut TenantEffects) {
        let Some(gone) = self.routes.remove_bot(bot) else {
            return;
        };
        let was_online = gone.about.info.status == BotState::Online;
        if let Some(home) = gone.here() {
            if let Some(conn) = self.routes.connection_mut(home) {
                conn.bots.remove(bot);
            }
            fx.push(TenantEffect::Note(Fact::BotOffline));
        }
        if was_online {
            let info = BotInfo {
                status: BotState::Offline,
                since: env.unix_ms,
                ..gone.about.info.into_info()
            };
            self.presence.changed(&info, env.now_ms);
        }
    }

    pub(super) fn apply_conn(
        &mut self,
        env: &Env<'_>,
        conn: ConnectionId,
        record: ConnRecord,
        fx: &mut TenantEffects,
    ) {
        if record.boot != env.nodes.own {
            if env.nodes.is_dead(record.boot) {
                return self.reap_soon(env);
            }
            self.meet(env, record.boot, fx);
            // One of an earlier life of this node is here, whatever the directory says yet.
            if self.routes.key_of(&conn).is_none() {
                self.routes.insert_there(conn, record);
            }
            return;
        }
        let is_here = self.routes.key_of(&conn).is_some() || self.entering.has(&conn);
        if !is_here {
            self.owed.let_go_conn(conn);
            self.pay(env, fx);
        }
    }
}
