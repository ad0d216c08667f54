//! What follows when a bot gets a home, loses it, or is taken off the list.

use protocol::presence::{BotInfo, BotRegistered, BotState, BotUnregistered, UnregisterReason};
use protocol::{Answer, BotId, CloseCode, ErrorCode, FrameId};

use super::Tenant;
use super::bots::bot::{Bot, Home};
use crate::effect::{
    BotDeparture, BotTakeover, DepartureCause, RouterFact, TenantEffect, TenantEffects,
};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::request::BotRegistration;
use crate::store::{BotHolder, BotRecord, DirectoryReply, Fence};

impl Tenant {
    /// The store made the claimant the home. One that is gone meanwhile, or was told that it lost the bot,
    /// held it for no time at all: the old home lost it nevertheless, as the store has it.
    pub(super) fn claimed(
        &mut self,
        env: &Env<'_>,
        (claimant, fence): (ConnKey, Fence),
        asked: Option<Option<FrameId>>,
        registration: BotRegistration,
        fx: &mut TenantEffects,
    ) {
        let BotRegistration {
            info,
            instance,
            confirm,
            ..
        } = registration;
        let (bot, epoch) = (info.id.clone(), fence.epoch);
        self.directory.saw(epoch);
        // Its event came first, and a later one behind it.
        let known = self.bots.get(bot.as_str());
        if known.is_some_and(|known| known.details.epoch > epoch) {
            if let Some(id) = asked {
                let refusal = ErrorCode::StoreUnavailable.into();
                fx.refuse_claim((claimant, &bot), id.as_ref(), refusal);
            }
            return;
        }
        // A claim that nobody asked for is made for a socket that holds the bot. One that lost it meanwhile
        // was told so, and must not become its home again silently.
        let conn = self.members.connection(claimant);
        let is_home = conn.is_some_and(|conn| asked.is_some() || conn.bots.contains(&bot));
        let holder = BotHolder {
            boot: env.nodes.own,
            conn: fence.conn,
        };
        let record = BotRecord {
            info: info.clone(),
            holder: Some(holder),
            epoch,
            instance,
        };
        let home = is_home.then_some(Home::Here(claimant));
        self.rehome(env, record, home, fx);
        if !is_home {
            self.directory.outbox_mut().release_bot(bot, fence);
            return self.release(env, fx);
        }
        // Asked twice by the same connection, the second time with success.
        self.directory.outbox_mut().keep_bot(bot, fence);
        if let Some(id) = asked {
            let answer = Answer::BotRegistered(BotRegistered {
                bot: info,
                epoch,
                confirm: confirm.then_some(false),
            });
            fx.answer(claimant, id.as_ref(), answer);
        }
    }

    /// Gives a bot a home, or none. A connection of this node that held it until now is told.
    pub(super) fn rehome(
        &mut self,
        env: &Env<'_>,
        record: BotRecord,
        home: Option<Home>,
        fx: &mut TenantEffects,
    ) {
        let (id, epoch) = (record.info.id.clone(), record.epoch);
        let holder = record.holder.clone();
        let parts = (&mut self.members, &mut self.presence);
        if let Some(loser) = self.bots.rehome(env, record, home, parts, fx) {
            self.replaced(env, (loser, holder), (&id, epoch), fx);
        }
    }

    /// Tells the old home behind what is queued for it, and expels it if it holds nothing else.
    fn replaced(
        &mut self,
        env: &Env<'_>,
        (old, by): (ConnKey, Option<BotHolder>),
        (bot, epoch): (&BotId, u64),
        fx: &mut TenantEffects,
    ) {
        let takeover = BotTakeover {
            bot: bot.clone(),
            conn: old,
            id: self.members.connection(old).map(|old| old.id),
            by,
        };
        fx.push(TenantEffect::Note(RouterFact::Takeover(Box::new(takeover))));
        let Some(was_last) = self.members.release(old, bot) else {
            return;
        };
        let told = BotUnregistered {
            bot_id: bot.clone(),
            reason: Some(UnregisterReason::Replaced),
            epoch: Some(epoch),
        };
        fx.answer(old, None, Answer::BotUnregistered(told));
        if was_last {
            self.leave(env, old, fx);
            fx.push(TenantEffect::Close {
                conn: old,
                close: CloseCode::Replaced,
            });
        }
    }

    /// The directory says that with step `ver` a bot is off the list. Its home asked for that, and
    /// the event is only faster than the reply; or the reply was lost, and the home must be told. Or
    /// the event is late, and the bot was claimed again since.
    pub(super) fn told_unlisted(
        &mut self,
        env: &Env<'_>,
        bot: &BotId,
        ver: u64,
        fx: &mut TenantEffects,
    ) {
        let known = self.bots.get(bot.as_str());
        if known.is_some_and(|known| known.details.epoch > ver) {
            return;
        }
        let here = known.and_then(Bot::here);
        if let Some(number) = self.bots.claims().unregistration(bot, here) {
            return self.claim_answered(env, bot, number, Ok(DirectoryReply::Done), fx);
        }
        match here {
            Some(conn) => self.unregistered(env, (conn, None), bot, fx),
            None => self.unlist(env, bot, fx),
        }
    }

    /// A bot is off the list: its connection, or who asked for that, is told.
    pub(super) fn unregistered(
        &mut self,
        env: &Env<'_>,
        (conn, id): (ConnKey, Option<FrameId>),
        bot: &BotId,
        fx: &mut TenantEffects,
    ) {
        self.unlist(env, bot, fx);
        let told = BotUnregistered {
            bot_id: bot.clone(),
            reason: None,
            epoch: None,
        };
        fx.answer(conn, id.as_ref(), Answer::BotUnregistered(told));
    }

    /// Takes a bot off the list.
    pub(super) fn unlist(&mut self, env: &Env<'_>, bot: &BotId, fx: &mut TenantEffects) {
        let Some(gone) = self.bots.remove(bot) else {
            return;
        };
        let was_online = gone.details.info.status == BotState::Online;
        if let Some(conn) = gone.here() {
            self.members.release(conn, bot);
            let departure = BotDeparture {
                bot: bot.clone(),
                conn,
                cause: DepartureCause::Unregistered,
            };
            fx.push(TenantEffect::Note(RouterFact::BotOffline(Box::new(
                departure,
            ))));
        }
        if was_online {
            let info = BotInfo {
                status: BotState::Offline,
                since: env.unix_ms,
                ..gone.details.info.into_info()
            };
            self.presence.changed(&info, env.now_ms);
        }
    }
}
