//! Where a bot is at home: what follows for the list, for presence and for its connection.

use protocol::BotId;
use protocol::presence::{BotInfo, BotState};

use super::Bots;
use super::bot::{Bot, BotDetails, Home};
use crate::check;
use crate::effect::{RouterFact, TenantEffect, TenantEffects};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::store::BotRecord;
use crate::tenant::members::Members;
use crate::tenant::presence::Presence;

impl Bots {
    /// Writes a bot's home into the list and its connection, and what others see of it into presence.
    /// Returns the connection of this node that held it until now, if it does no more.
    pub fn rehome(
        &mut self,
        env: &Env<'_>,
        record: BotRecord,
        home: Option<Home>,
        (members, presence): (&mut Members, &mut Presence),
        fx: &mut TenantEffects,
    ) -> Option<ConnKey> {
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
        let old = self.listed.remove(&id);
        check!(
            Invariant::OneHome,
            old.as_ref().is_none_or(|old| old.details.epoch <= epoch),
            "the epoch of {id} went back to {epoch}"
        );
        let known = old.as_ref().map(|old| &old.details.info);
        if known.is_none_or(|known| !is_told_alike(known, &info)) {
            presence.changed(&info, env.now_ms);
        }
        let is_contest = old
            .as_ref()
            .is_some_and(|old| home.is_some() && old.is_contested_by(epoch, instance.as_ref()));
        let before = old.as_ref().and_then(Bot::here);
        let mut takeovers = old.map(|old| old.details.takeovers).unwrap_or_default();
        if is_contest {
            takeovers.count(env.now_ms);
        }
        let details = Box::new(BotDetails {
            info: info.into(),
            epoch,
            instance,
            takeovers,
        });
        let bot = Bot { home, details };
        let after = bot.here();
        self.listed.insert(id.clone(), bot);
        if let Some(key) = after {
            members.hold(key, id.clone());
        }
        note_change(id, before, after, fx);
        before.filter(|_| before != after)
    }
}

/// Notes that a bot came to this node, or left it.
fn note_change(id: BotId, before: Option<ConnKey>, after: Option<ConnKey>, fx: &mut TenantEffects) {
    match (before, after) {
        (None, Some(home)) => {
            let fact = RouterFact::BotOnline(Box::new((home, id)));
            fx.push(TenantEffect::Note(fact));
        }
        (Some(_), None) => fx.push(TenantEffect::Note(RouterFact::BotOffline)),
        (None, None) | (Some(_), Some(_)) => {}
    }
}

/// Since when a bot is offline is not worth a word to those who know that it is.
fn is_told_alike(old: &BotInfo, new: &BotInfo) -> bool {
    let both_offline = (old.status, new.status) == (BotState::Offline, BotState::Offline);
    (&old.name, old.status) == (&new.name, new.status) && (both_offline || old.since == new.since)
}
