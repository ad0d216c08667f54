//! Who may ask for a bot, and who may give it up.

use protocol::presence::Takeover;
use protocol::{BotId, ErrorCode, Refusal};

use super::Bots;
use super::bot::Home;
use crate::ids::ConnKey;
use crate::request::BotRegistration;
use crate::tenant::context::{TenantContext, unknown_code};
use crate::tenant::members::Members;

impl Bots {
    /// Errors: its name is taken, by a client or by who may not lose it; quotas; two that fight
    /// over it.
    pub fn may_register(
        &mut self,
        ctx: &TenantContext<'_>,
        members: &Members,
        id: &BotId,
        conn: ConnKey,
        registration: &BotRegistration,
    ) -> Result<(), Refusal> {
        if members.names_client(id.as_str()) {
            return Err(ErrorCode::AlreadyRegistered.into());
        }
        let socket_is_full = self.is_socket_full(ctx, members, conn);
        let tenant_is_full = self.is_tenant_full(ctx);
        let limit = ctx.limits.takeovers_per_minute;
        let Some(bot) = self.listed.get_mut(id) else {
            return match socket_is_full || tenant_is_full {
                true => Err(ErrorCode::QuotaExceeded.into()),
                false => Ok(()),
            };
        };
        match &bot.home {
            Some(Home::Here(home)) if *home == conn => return Ok(()),
            Some(_) if registration.takeover == Takeover::Reject => {
                return Err(ErrorCode::AlreadyRegistered.into());
            }
            Some(_) if bot.is_same_instance(registration.instance.as_ref()) => {}
            Some(_) => {
                let checked = bot.details.takeovers.check(ctx.env.now_ms, limit);
                checked.map_err(|retry_ms| Refusal {
                    retry_ms: Some(retry_ms),
                    ..Refusal::from(ErrorCode::TakeoverFlapping)
                })?;
            }
            None => {}
        }
        match socket_is_full {
            true => Err(ErrorCode::QuotaExceeded.into()),
            false => Ok(()),
        }
    }

    /// Whether a connection holds or claims as many bots as it may.
    fn is_socket_full(&self, ctx: &TenantContext<'_>, members: &Members, conn: ConnKey) -> bool {
        let own = members.connection(conn);
        let held = own.map_or(0, |own| own.bots.len());
        let holds = |id: &BotId| own.is_some_and(|own| own.bots.contains(id));
        let claimed = self.claims.bots_of(conn).filter(|id| !holds(id));
        held + claimed.count() >= ctx.limits.bots_per_socket as usize
    }

    /// Whether as many bots are listed, or will be, as may be.
    fn is_tenant_full(&self, ctx: &TenantContext<'_>) -> bool {
        let unlisted = self.claims.bots();
        let unlisted = unlisted.filter(|id| !self.listed.contains_key(*id));
        self.listed.len() + unlisted.count() >= ctx.limits.bots_per_tenant as usize
    }

    /// Errors: it is not listed; somebody else holds it.
    pub fn may_unregister(
        &self,
        ctx: &TenantContext<'_>,
        id: &BotId,
        conn: ConnKey,
    ) -> Result<(), Refusal> {
        let Some(bot) = self.listed.get(id) else {
            return Err(unknown_code(ctx.env).into());
        };
        match &bot.home {
            Some(home) if *home != Home::Here(conn) => Err(ErrorCode::NotYourIdentity.into()),
            Some(_) | None => Ok(()),
        }
    }
}
