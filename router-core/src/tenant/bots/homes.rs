//! Where a bot is at home: what follows for the list, for presence and for its connection.

use protocol::BotId;
use protocol::presence::{BotInfo, BotState};

use super::Bots;
use super::bot::{Bot, BotDetails, Home};
use crate::check;
use crate::effect::{
    BotArrival, BotDeparture, DepartureCause, RouterFact, TenantEffect, TenantEffects,
};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::store::{BotHolder, BotRecord};
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
        let there = old.as_ref().and_then(|old| old.there().cloned());
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
        match (before, after) {
            (Some(conn), None) => note_departure(id, conn, fx),
            (_, Some(conn)) if before != after => {
                let here = before.and_then(|before| members.connection(before));
                let here = here.map(|here| BotHolder {
                    boot: env.nodes.own,
                    conn: here.id,
                });
                note_arrival(id, (before, conn), here.or(there), members, fx);
            }
            (_, Some(_)) | (None, None) => {}
        }
        before.filter(|_| before != after)
    }
}

/// Notes that a bot has a home at a connection of this node, which it had not.
fn note_arrival(
    bot: BotId,
    (before, conn): (Option<ConnKey>, ConnKey),
    from: Option<BotHolder>,
    members: &Members,
    fx: &mut TenantEffects,
) {
    let Some(home) = members.connection(conn) else {
        return;
    };
    let arrival = Box::new(BotArrival {
        bot,
        conn,
        id: home.id,
        client: home.client.clone(),
        from,
    });
    let fact = match before {
        Some(_) => RouterFact::BotMoved(arrival),
        None => RouterFact::BotOnline(arrival),
    };
    fx.push(TenantEffect::Note(fact));
}

/// Notes that another node has a bot which a connection of this node held.
fn note_departure(bot: BotId, conn: ConnKey, fx: &mut TenantEffects) {
    let cause = DepartureCause::TakenOver;
    let departure = Box::new(BotDeparture { bot, conn, cause });
    fx.push(TenantEffect::Note(RouterFact::BotOffline(departure)));
}

/// Since when a bot is offline is not worth a word to those who know that it is.
fn is_told_alike(old: &BotInfo, new: &BotInfo) -> bool {
    let both_offline = (old.status, new.status) == (BotState::Offline, BotState::Offline);
    (&old.name, old.status) == (&new.name, new.status) && (both_offline || old.since == new.since)
}
