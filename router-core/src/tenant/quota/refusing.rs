//! What a tenant refuses whose hard allowance is used up.

use protocol::{CloseCode, Refusal, SpentAllowance};

use super::QuotaUse;
use crate::effect::{TenantEffect, TenantEffects};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::tenant::Tenant;

impl Tenant {
    /// The hard allowance for which a use is refused, if it is used up.
    pub(in crate::tenant) fn spent(
        &self,
        env: &Env<'_>,
        asked: QuotaUse,
    ) -> Option<SpentAllowance> {
        let quota = self.quota.as_ref()?;
        quota.spent(env, &self.meter, asked)
    }

    /// Ends the sockets for whose time the allowance is used up. Each is told why.
    pub(in crate::tenant) fn expel_spent(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        for asked in [QuotaUse::ClientSocket, QuotaUse::BotSocket] {
            let Some(spent) = self.spent(env, asked) else {
                continue;
            };
            let is_bot = asked == QuotaUse::BotSocket;
            let sockets = self.members.connections();
            let sockets = sockets.filter(|(_, conn)| conn.capabilities.lasts);
            let sockets = sockets.filter(|(_, conn)| conn.bots.is_empty() != is_bot);
            let sockets: Vec<ConnKey> = sockets.map(|(key, _)| key).collect();
            for conn in sockets {
                self.leave(env, conn, fx);
                fx.refuse(conn, None, Refusal::quota(spent));
                fx.push(TenantEffect::Close {
                    conn,
                    close: CloseCode::TryLater,
                });
            }
        }
    }
}
