//! How a connection leaves its tenant: by itself, or because the policy does not allow it any more.

use std::sync::Arc;

use protocol::Allowances;

use super::Tenant;
use super::context::TenantContext;
use super::quota::MonthQuota;
use crate::effect::{BotDeparture, DepartureCause, RouterFact, TenantEffect, TenantEffects};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::request::SessionNotice;
use crate::store::{Fence, TenantPolicy};
use crate::terms::TenantTerms;

impl Tenant {
    pub(crate) fn leave(&mut self, env: &Env<'_>, key: ConnKey, fx: &mut TenantEffects) {
        if let Some(join) = self.members.stop_waiting(key) {
            self.count_call(env, &join);
        }
        let outbox = self.directory.outbox_mut();
        if let Some(gone) = self.members.remove_newcomer(key) {
            outbox.release_conn(gone.join.id);
        }
        if let Some((conn, was_last)) = self.members.remove(key, env.unix_ms) {
            self.presence.forget(key, &conn.watch);
            for id in conn.bots {
                let Some(bot) = self.bots.lose_home(&id, env.unix_ms) else {
                    continue;
                };
                let fence = Fence {
                    conn: conn.id,
                    epoch: bot.details.epoch,
                };
                self.presence.changed(&bot.details.info, env.now_ms);
                let departure = BotDeparture {
                    bot: id.clone(),
                    conn: key,
                    cause: DepartureCause::ConnectionLeft,
                };
                outbox.release_bot(id, fence);
                fx.push(TenantEffect::Note(RouterFact::BotOffline(Box::new(
                    departure,
                ))));
            }
            outbox.forget_conn(key);
            // Without a store that others read, only the client's name is worth keeping. A call
            // leaves no trace in the store: every single one would be a write.
            if conn.told {
                outbox.release_conn(conn.id);
            }
            let is_known = conn.told || !env.nodes.shared;
            if was_last && is_known && conn.capabilities.lasts {
                outbox.see(conn.client);
            }
        }
        self.bound_clients();
        self.release(env, fx);
        self.linger(env);
    }

    /// Forgets clients beyond `clients_per_tenant`.
    pub(super) fn bound_clients(&mut self) {
        let most = self.limits.clients_per_tenant as usize;
        self.members.bound_clients(most);
    }

    /// Starts or stops the minute after which an empty tenant is forgotten.
    pub(super) fn linger(&mut self, env: &Env<'_>) {
        self.over_ms = match self.members.is_deserted() {
            true => self.over_ms.min(env.now_ms + env.settings.tenant_linger_ms),
            false => Millis::MAX,
        };
    }

    /// Takes a new policy and ends the sockets that it no longer allows.
    pub(crate) fn policy(&mut self, env: &Env<'_>, policy: TenantPolicy, fx: &mut TenantEffects) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.directory.note_order();
        self.members.take_order(&ctx, policy);
        self.expel_strangers(env, fx);
        self.apply_terms(env, fx);
        // If the new plan has no allowances, nothing is left to wait for.
        self.let_in(env, fx);
    }

    /// Takes the policy of a snapshot, and ends the sockets that it no longer allows.
    pub(super) fn stored_policy(
        &mut self,
        env: &Env<'_>,
        policy: TenantPolicy,
        fx: &mut TenantEffects,
    ) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        if env.nodes.shared && policy.generation < self.members.key_generation() {
            self.directory.outbox_mut().reassert_generation();
        }
        let is_outdated = self.directory.is_older_than_order();
        self.members.take_stored_policy(&ctx, policy, is_outdated);
        self.expel_strangers(env, fx);
        self.apply_terms(env, fx);
    }

    /// Takes what the changed configuration says, and ends the sockets that its policy no longer allows.
    pub(crate) fn reconfigured(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.members.take_file_policy(&ctx);
        self.members.set_first_secret(env.settings.first_secret);
        self.meter.flush_within(env);
        self.expel_strangers(env, fx);
        self.apply_terms(env, fx);
        // As after an order.
        self.let_in(env, fx);
    }

    /// Takes over what follows from the plan and the limits that are assigned to the tenant.
    fn apply_terms(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let id = self.receipts.tenant();
        let TenantTerms { limits, allowances } = env.settings.terms_of(id, self.members.assigned());
        if *limits != *self.limits {
            self.presence.set_limits(&limits);
            self.limits = limits;
            for (conn, _) in self.members.connections() {
                let notice = SessionNotice::Limited(Arc::clone(&self.limits));
                fx.push(TenantEffect::Tell { conn, notice });
            }
        }
        let known = self.quota.as_ref().map(|quota| quota.allowances());
        if known.map_or(!allowances.is_empty(), |known| *known != allowances) {
            self.replace_allowances(env, &allowances, fx);
        }
    }

    fn replace_allowances(
        &mut self,
        env: &Env<'_>,
        allowances: &Arc<Allowances>,
        fx: &mut TenantEffects,
    ) {
        match self.quota.as_mut().filter(|_| !allowances.is_empty()) {
            Some(quota) => quota.set_allowances(allowances),
            None => self.quota = MonthQuota::new(env, allowances),
        }
        // A record that is on its way to the ledger would count twice. The month is read when it is booked.
        match self.meter.is_booked() {
            true => self.read_month(env, fx),
            false => self.meter.flush(env, self.receipts.tenant(), fx),
        }
        self.apply_quota(env, fx);
    }

    /// Ends the sockets that the policy does not allow.
    fn expel_strangers(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        for (conn, close) in self.members.strangers() {
            self.leave(env, conn, fx);
            fx.push(TenantEffect::Close { conn, close });
        }
    }
}
