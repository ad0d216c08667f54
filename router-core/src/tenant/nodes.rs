//! What a tenant does when nodes die: this one's entries are reasserted, another one's expire.

use protocol::BootId;

use super::Tenant;
use super::context::TenantContext;
use super::directory::outbox::PendingAssert;
use crate::effect::{LostHomes, RouterFact, TenantEffect, TenantEffects};
use crate::env::Env;
use crate::store::{DirectoryReply, StoreResult};

impl Tenant {
    /// A node is dead: what it held here is gone at once, and soon in the store.
    pub(crate) fn node_evicted(&mut self, env: &Env<'_>, boot: BootId, fx: &mut TenantEffects) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        let bots = self.bots.held_by(boot);
        let had_conns = self.members.remove_node(boot, env.unix_ms);
        if bots.is_empty() && !had_conns {
            return;
        }
        self.directory.release_evicted_soon(&ctx);
        for id in &bots {
            if let Some(bot) = self.bots.lose_home(id, env.unix_ms) {
                self.presence.changed(&bot.details.info, env.now_ms);
            }
        }
        self.bound_clients();
        if !bots.is_empty() {
            let tenant = self.id().clone();
            let lost = LostHomes { tenant, boot, bots };
            fx.push(TenantEffect::Note(RouterFact::NodeLost(Box::new(lost))));
        }
    }

    /// This node goes on under a new name: all that it holds is reasserted.
    pub(crate) fn rejoined(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let outbox = self.directory.outbox_mut();
        for bot in self.bots.held_here() {
            outbox.reassert_bot(bot.clone());
        }
        for (key, _) in self.members.listed() {
            outbox.reassert_conn(key);
        }
        self.reassert(env, fx);
    }

    /// The store's answer to a step of reasserting.
    pub(super) fn reasserted(
        &mut self,
        env: &Env<'_>,
        step: PendingAssert,
        reply: StoreResult<DirectoryReply>,
        fx: &mut TenantEffects,
    ) {
        let outbox = self.directory.outbox_mut();
        let Ok(DirectoryReply::Asserted(refused)) = reply else {
            return outbox.not_asserted(step, env.now_ms);
        };
        outbox.asserted();
        for (bot, holder) in refused {
            let other = holder.filter(|it| it.boot != env.nodes.own);
            let is_live = other.is_some_and(|other| !env.nodes.is_dead(other.boot));
            match (self.bots.home_here(&bot), is_live) {
                (None, _) => {}
                // It was taken over; the directory says by whom.
                (Some(_), true) => self.read(env, fx),
                (Some(conn), false) => self.reclaim(env, conn, bot, fx),
            }
        }
        self.reassert(env, fx);
    }
}
