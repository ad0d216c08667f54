//! Where a bot is at home: what follows for routes, presence and the connection that held it before.

use protocol::presence::{BotInfo, BotRegistered, BotState, BotUnregistered, UnregisterReason};
use protocol::{Answer, BotId, CloseCode, ConnectionId, ErrorCode, FrameId, Refusal};
use smol_str::SmolStr;

use super::Tenant;
use super::routes::{About, Bot, Home};
use crate::check;
use crate::effect::{Fact, TenantEffect, TenantEffects};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::request::Registration;
use crate::store::{BotRecord, Fence, Holder};

/// A claim that the store accepted.
pub(super) struct Claimed {
    pub conn: ConnKey,
    pub conn_id: ConnectionId,
    pub epoch: u64,
    pub since_ms: Millis,
}

impl Tenant {
    /// The store made the claimant the home. One that is gone meanwhile, or was told that it lost the bot,
    /// held it for no time at all: the old home lost it nevertheless, as the store has it.
    pub(super) fn claimed(
        &mut self,
        env: &Env<'_>,
        claimed: Claimed,
        asked: Option<Option<FrameId>>,
        registration: Registration,
        fx: &mut TenantEffects,
    ) {
        self.directory.known_ver = self.directory.known_ver.max(claimed.epoch);
        let known = self.routes.bot(&registration.info.id);
        // Its event came first, and a later one behind it.
        let is_over = known.is_some_and(|known| known.about.epoch > claimed.epoch);
        // A claim that nobody asked for is made for a socket that holds the bot. One that lost it meanwhile
        // was told so, and must not become its home again silently.
        let conn = self.routes.connection(claimed.conn);
        let is_home =
            conn.is_some_and(|conn| asked.is_some() || conn.bots.contains(&registration.info.id));
        let holder = Holder {
            boot: env.nodes.own,
            conn: claimed.conn_id,
        };
        let info = BotInfo {
            status: BotState::Online,
            since: claimed.since_ms,
            ..registration.info
        };
        let bot = info.id.clone();
        let record = BotRecord {
            info: info.clone(),
            holder: Some(holder),
            epoch: claimed.epoch,
            instance: registration.instance,
        };
        if is_over {
            let refusal = Refusal::from(ErrorCode::StoreUnavailable);
            if let Some(id) = asked {
                fx.refuse(claimed.conn, id.as_ref(), refusal);
            }
            return;
        }
        let home = is_home.then_some(Home::Here(claimed.conn));
        self.rehome(env, record, home, fx);
        let fence = Fence {
            conn: claimed.conn_id,
            epoch: claimed.epoch,
        };
        if !is_home {
            self.owed.let_go_bot(bot, fence);
            return self.pay(env, fx);
        }
        // Asked twice by the same connection, the second time with success.
        self.owed.keep_bot(bot, fence);
        if let Some(id) = asked {
            let answer = Answer::BotRegistered(BotRegistered {
                bot: info,
                epoch: claimed.epoch,
                confirm: registration.confirm.then_some(false),
            });
            fx.answer(claimed.conn, id.as_ref(), answer);
        }
    }

    pub(super) fn forgotten(
        &mut self,
        env: &Env<'_>,
        conn: ConnKey,
        id: Option<FrameId>,
        bot: &BotId,
        fx: &mut TenantEffects,
    ) {
        self.apply_forgotten(env, bot, fx);
        let told = BotUnregistered {
            bot_id: bot.clone(),
            reason: None,
            epoch: None,
        };
        fx.answer(conn, id.as_ref(), Answer::BotUnregistered(told));
    }

    /// Writes a bot's home into the routes, and what others see of it into presence. A connection
    /// of this node that held it until now is told.
    pub(super) fn rehome(
        &mut self,
        env: &Env<'_>,
        record: BotRecord,
        home: Option<Home>,
        fx: &mut TenantEffects,
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
            old.as_ref().is_none_or(|old| old.about.epoch <= epoch),
            "the epoch of {id} went back to {epoch}"
        );
        let is_told = old
            .as_ref()
            .is_some_and(|old| is_told_alike(&old.about.info, &info));
        if !is_told {
            self.presence.changed(&info, env.now_ms);
        }
        let is_contest = old.as_ref().is_some_and(|old| {
            let both = old.home.is_some() && home.is_some();
            both && old.about.epoch != epoch && !is_same_instance(old, instance.as_ref())
        });
        let before = old.as_ref().and_then(Bot::here);
        let mut flaps = old.map(|old| old.about.flaps).unwrap_or_default();
        if is_contest {
            flaps.count(env.now_ms);
        }
        let about = About {
            info: info.into(),
            epoch,
            instance,
            flaps,
        };
        let bot = Bot {
            home,
            about: Box::new(about),
        };
        let after = bot.here();
        self.routes.insert_bot(bot);
        if let Some(conn) = after.and_then(|key| self.routes.connection_mut(key)) {
            conn.bots.insert(id.clone());
            conn.watch.unwatch_all();
        }
        match (before, after) {
            (None, Some(home)) => {
                let fact = Fact::BotOnline(Box::new((home, id.clone())));
                fx.push(TenantEffect::Note(fact));
            }
            (Some(_), None) => fx.push(TenantEffect::Note(Fact::BotOffline)),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if let Some(loser) = before.filter(|_| before != after) {
            self.replaced(env, loser, &id, epoch, fx);
        }
    }

    /// Tells the old home behind what is queued for it, and lets it go if it holds nothing else.
    fn replaced(
        &mut self,
        env: &Env<'_>,
        old: ConnKey,
        bot: &BotId,
        epoch: u64,
        fx: &mut TenantEffects,
    ) {
        fx.push(TenantEffect::Note(Fact::Takeover));
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
        fx.answer(old, None, Answer::BotUnregistered(told));
        if was_last {
            self.leave(env, old, fx);
            fx.push(TenantEffect::Close {
                conn: old,
                close: CloseCode::Replaced,
            });
        }
    }
}

/// A restart of the same process is no contest.
pub(super) fn is_same_instance(bot: &Bot, instance: Option<&SmolStr>) -> bool {
    instance.is_some() && bot.about.instance.as_ref() == instance
}

/// Since when a bot is offline is not worth a word to those who know that it is.
fn is_told_alike(old: &BotInfo, new: &BotInfo) -> bool {
    let both_offline = (old.status, new.status) == (BotState::Offline, BotState::Offline);
    (&old.name, old.status) == (&new.name, new.status) && (both_offline || old.since == new.since)
}
