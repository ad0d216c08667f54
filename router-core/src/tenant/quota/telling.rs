//! Tells a tenant that it has reached a soft allowance.

use protocol::limits::QUOTA_TOLD_MAX;
use protocol::plan::QuotaStatus;
use protocol::{Answer, UsageHour};

use crate::effect::{RouterFact, TenantEffect, TenantEffects};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::tenant::Tenant;

impl Tenant {
    /// Tells a newcomer with an API key of all soft allowances that are reached, and first the sockets that are
    /// here: else the next flush would tell the newcomer again.
    pub(in crate::tenant) fn tell_reached(
        &mut self,
        env: &Env<'_>,
        conn: ConnKey,
        fx: &mut TenantEffects,
    ) {
        self.tell_quota(env, fx);
        let Some(quota) = &self.quota else {
            return;
        };
        for status in quota.reached(env, &self.meter) {
            fx.answer(conn, None, Answer::Quota(status));
        }
    }

    /// Tells sockets with API keys of soft allowances that are reached, and of which this node has not told on
    /// this day. Those that come later are told when they join.
    pub(in crate::tenant) fn tell_quota(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let Some(quota) = &mut self.quota else {
            return;
        };
        let today = UsageHour::of(env.unix_ms).day();
        let reached: Vec<QuotaStatus> = quota
            .reached(env, &self.meter)
            .filter(|it| !quota.told.contains(&(it.meter, today)))
            .collect();
        for status in reached {
            quota.told.retain(|(meter, _)| *meter != status.meter);
            quota.told.push((status.meter, today));
            let reached = RouterFact::AllowanceReached(status.meter);
            fx.push(TenantEffect::Note(reached));
            let sockets = self.members.connections();
            let sockets = sockets.filter(|(_, conn)| conn.capabilities.lasts);
            let owners = sockets.filter(|(_, conn)| conn.grant.client().is_none());
            for (conn, _) in owners.take(QUOTA_TOLD_MAX) {
                fx.answer(conn, None, Answer::Quota(status));
            }
        }
    }
}
