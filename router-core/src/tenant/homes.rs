//! Where a bot is at home: what follows for routes, presence and the connection that held it before.

use protocol::frame::ServerMessage;
use protocol::presence::{BotInfo, BotState, BotUnregistered, UnregisterReason};
use protocol::{BotId, CloseCode};
use smol_str::SmolStr;

use super::Tenant;
use super::routes::{Bot, Home};
use crate::check;
use crate::effect::{Effect, Effects, Fact};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::store::BotRecord;

impl Tenant {
    /// Writes a bot's home into the routes, and what others see of it into presence. A connection
    /// of this node that held it until now is told.
    pub(super) fn rehome(
        &mut self,
        env: &Env<'_>,
        record: BotRecord,
        home: Option<Home>,
        fx: &mut Effects,
    ) {
        let BotRecord {
            mut info,
            epoch,
            instance,
            ..
        } = record;
        info.status = match home {
            Some(_) => BotState::Online,
            None => BotState::Offline,
        };
        let id = info.id.clone();
        let old = self.routes.remove_bot(&id);
        check!(
            Invariant::OneHome,
            old.as_ref().is_none_or(|old| old.epoch <= epoch),
            "the epoch of {id} went back to {epoch}"
        );
        let is_told = old
            .as_ref()
            .is_some_and(|old| is_told_alike(&old.info, &info));
        if !is_told {
            self.presence.changed(&info, env.now_ms);
        }
        let is_contest = old.as_ref().is_some_and(|old| {
            let both = old.home.is_some() && home.is_some();
            both && old.epoch != epoch && !is_same_instance(old, instance.as_ref())
        });
        let before = old.as_ref().and_then(Bot::here);
        let mut flaps = old.map(|old| old.flaps).unwrap_or_default();
        if is_contest {
            flaps.count(env.now_ms);
        }
        let bot = Bot {
            info,
            home,
            epoch,
            instance,
            flaps,
        };
        let after = bot.here();
        self.routes.insert_bot(bot);
        if let Some(conn) = after.and_then(|key| self.routes.connection_mut(key)) {
            conn.bots.insert(id.clone());
            conn.watch.unwatch_all();
        }
        match (before, after) {
            (None, Some(_)) => fx.push(Effect::Note(Fact::BotOnline)),
            (Some(_), None) => fx.push(Effect::Note(Fact::BotOffline)),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if let Some(loser) = before.filter(|_| before != after) {
            self.replaced(env, loser, &id, epoch, fx);
        }
    }

    /// Tells the old home behind what is queued for it, and lets it go if it holds nothing else.
    fn replaced(&mut self, env: &Env<'_>, old: ConnKey, bot: &BotId, epoch: u64, fx: &mut Effects) {
        fx.push(Effect::Note(Fact::Takeover));
        let Some(conn) = self.routes.connection_mut(old) else {
            return;
        };
        conn.bots.remove(bot);
        let was_last = conn.bots.is_empty();
        let told = BotUnregistered {
            bot_id: bot.clone(),
            reason: Some(UnregisterReason::Replaced),
            epoch: Some(epoch),
        };
        self.answer(env, old, None, &ServerMessage::BotUnregistered(told), fx);
        if was_last {
            self.leave(env, old, fx);
            fx.push(Effect::Close {
                conn: old,
                close: CloseCode::Replaced,
            });
        }
    }
}

/// A restart of the same process is no contest.
pub(super) fn is_same_instance(bot: &Bot, instance: Option<&SmolStr>) -> bool {
    instance.is_some() && bot.instance.as_ref() == instance
}

/// Since when a bot is offline is not worth a word to those who know that it is.
fn is_told_alike(old: &BotInfo, new: &BotInfo) -> bool {
    let both_offline = (old.status, new.status) == (BotState::Offline, BotState::Offline);
    (&old.name, old.status) == (&new.name, new.status) && (both_offline || old.since == new.since)
}
