//! Who may ask for a bot, and who may give it up.

use protocol::presence::Takeover;
use protocol::{BotId, ErrorCode, Refusal};

use super::Tenant;
use super::homes::is_same_instance;
use super::routes::Home;
use crate::env::Env;
use crate::ids::ConnKey;
use crate::request::Registration;

impl Tenant {
    /// Errors: its name is taken, by a client or by who may not lose it; quotas; two that fight
    /// over it.
    pub(super) fn may_register(
        &mut self,
        env: &Env<'_>,
        id: &BotId,
        conn: ConnKey,
        registration: &Registration,
    ) -> Result<(), Refusal> {
        if self.routes.names_client(id.as_str()) {
            return Err(ErrorCode::AlreadyRegistered.into());
        }
        let own = self.routes.connection(conn);
        let held = own.map_or(0, |own| own.bots.len());
        let holds = |id: &BotId| own.is_some_and(|own| own.bots.contains(id));
        let claiming = self.claims.iter();
        let claiming = claiming.filter(|(id, queue)| queue.is_of(conn) && !holds(id));
        let claiming = claiming.count();
        let unlisted = self.claims.keys();
        let unlisted = unlisted.filter(|id| self.routes.bot(id).is_none()).count();
        let socket_is_full = held + claiming >= self.limits.bots_per_socket as usize;
        let tenant_is_full =
            self.routes.bot_count() + unlisted >= self.limits.bots_per_tenant as usize;
        let limit = self.limits.takeovers_per_minute;
        let Some(bot) = self.routes.bot_mut(id) else {
            let full = socket_is_full || tenant_is_full;
            return if full {
                Err(ErrorCode::QuotaExceeded.into())
            } else {
                Ok(())
            };
        };
        match &bot.home {
            Some(Home::Here(home)) if *home == conn => return Ok(()),
            Some(_) if registration.takeover == Takeover::Reject => {
                return Err(ErrorCode::AlreadyRegistered.into());
            }
            Some(_) if is_same_instance(bot, registration.instance.as_ref()) => {}
            Some(_) => bot
                .about
                .flaps
                .check(env.now_ms, limit)
                .map_err(|retry_ms| Refusal {
                    retry_ms: Some(retry_ms),
                    ..Refusal::from(ErrorCode::TakeoverFlapping)
                })?,
            None => {}
        }
        if socket_is_full {
            Err(ErrorCode::QuotaExceeded.into())
        } else {
            Ok(())
        }
    }

    pub(super) fn may_unregister(
        &self,
        env: &Env<'_>,
        id: &BotId,
        conn: ConnKey,
    ) -> Result<(), Refusal> {
        let Some(bot) = self.routes.bot(id) else {
            return Err(self.unknown(env).into());
        };
        match &bot.home {
            Some(home) if *home != Home::Here(conn) => Err(ErrorCode::NotYourIdentity.into()),
            Some(_) | None => Ok(()),
        }
    }
}
