//! What a change of the directory, from an event or a snapshot, means for this node: for its replica,
//! and for what it holds itself.

use protocol::ConnectionId;

use super::Tenant;
use super::bots::bot::Home;
use super::context::TenantContext;
use crate::effect::TenantEffects;
use crate::env::Env;
use crate::store::{BotRecord, ConnRecord, DirectoryChange, DirectoryEvent, Fence};

impl Tenant {
    /// A step of the directory, as its maker told all nodes.
    pub(crate) fn event(&mut self, env: &Env<'_>, event: DirectoryEvent, fx: &mut TenantEffects) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        let ver = event.ver;
        let Some(changes) = self.directory.take_event(&ctx, event, fx) else {
            return;
        };
        for change in changes {
            self.apply(env, ver, change, fx);
        }
        self.bound_clients();
    }

    fn apply(&mut self, env: &Env<'_>, ver: u64, change: DirectoryChange, fx: &mut TenantEffects) {
        match change {
            DirectoryChange::Bot(record) => self.apply_bot(env, *record, fx),
            DirectoryChange::Forgotten(bot) => self.told_unlisted(env, &bot, ver, fx),
            DirectoryChange::Entered(conn, record) => self.apply_conn(env, conn, record, fx),
            DirectoryChange::Left(conn) => match self.members.key_of(&conn) {
                Some(key) => {
                    self.directory.outbox_mut().reassert_conn(key);
                    self.reassert(env, fx);
                }
                None => self.members.remove_remote(&conn),
            },
            DirectoryChange::Seen(client, at_ms) => self.members.see((client, at_ms)),
            DirectoryChange::Policy(policy) => self.policy(env, policy, fx),
        }
    }

    /// A bot is this now.
    pub(super) fn apply_bot(&mut self, env: &Env<'_>, record: BotRecord, fx: &mut TenantEffects) {
        self.directory.saw(record.epoch);
        let known = self.bots.get(record.info.id.as_str());
        if known.is_some_and(|known| record.epoch < known.details.epoch) {
            return;
        }
        let Some(holder) = record.holder.clone() else {
            return self.apply_offline(env, record, fx);
        };
        let own = holder.boot == env.nodes.own;
        let key = self.members.key_of(&holder.conn);
        let conn = key.and_then(|key| self.members.connection(key));
        if conn.is_some_and(|conn| conn.bots.contains(&record.info.id)) {
            let bot = record.info.id.clone();
            self.rehome(env, record, key.map(Home::Here), fx);
            // The directory has it under an earlier name of this node.
            if !own {
                self.directory.outbox_mut().reassert_bot(bot);
                self.reassert(env, fx);
            }
            return;
        }
        if !own {
            let ctx = TenantContext::new(env, &self.receipts, &self.limits);
            let is_dead = env.nodes.is_dead(holder.boot);
            match is_dead {
                true => self.directory.release_evicted_soon(&ctx),
                false => self.directory.discover(&ctx, holder.boot, fx),
            }
            let home = (!is_dead).then(|| Home::There(Box::new(holder)));
            return self.rehome(env, record, home, fx);
        }
        if self.claim_came_true(env, &record, fx) || self.bots.claims_mut().note_earlier(&record) {
            return;
        }
        let bot = record.info.id.clone();
        let fence = Fence {
            conn: holder.conn,
            epoch: record.epoch,
        };
        self.apply_offline(env, record, fx);
        self.directory.outbox_mut().release_bot(bot, fence);
        self.release(env, fx);
    }

    /// Nobody holds a bot any more. If a connection of this node does, its claim expired: it claims
    /// anew.
    fn apply_offline(&mut self, env: &Env<'_>, record: BotRecord, fx: &mut TenantEffects) {
        let bot = &record.info.id;
        if let Some(conn) = self.bots.home_here(bot) {
            return self.reclaim(env, conn, bot.clone(), fx);
        }
        self.rehome(env, record, None, fx);
    }

    /// A connection is in the directory.
    pub(super) fn apply_conn(
        &mut self,
        env: &Env<'_>,
        conn: ConnectionId,
        record: ConnRecord,
        fx: &mut TenantEffects,
    ) {
        if record.boot != env.nodes.own {
            let ctx = TenantContext::new(env, &self.receipts, &self.limits);
            if env.nodes.is_dead(record.boot) {
                return self.directory.release_evicted_soon(&ctx);
            }
            self.directory.discover(&ctx, record.boot, fx);
            // One of an earlier life of this node is here, whatever the directory says yet.
            if self.members.key_of(&conn).is_none() {
                self.members.insert_remote(conn, record);
            }
            return;
        }
        if !self.members.is_here(&conn) {
            self.directory.outbox_mut().release_conn(conn);
            self.release(env, fx);
        }
    }
}
