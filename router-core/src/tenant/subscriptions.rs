//! Which bots a socket is told of: all that it may see, or those that it named.

use std::collections::BTreeSet;

use protocol::presence::Subscription;
use protocol::{Answer, BotId, ErrorCode, FrameId, Refusal};

use super::Tenant;
use super::presence::Presence;
use crate::effect::TenantEffects;
use crate::env::Env;
use crate::ids::ConnKey;
use crate::permit::may_see;

/// Charged for each bot that a socket named or muted, beside the bytes of its id: a place in a set, and
/// the allocation of a long id.
const SUBSCRIPTION_OVERHEAD_BYTES: usize = 64;

/// Which bots a socket is told of.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The last change that it was told.
    pub told: u64,
    all: bool,
    /// Absent for most sockets: they name and mute nobody.
    lists: Option<Box<Lists>>,
}

#[derive(Debug, Default)]
struct Lists {
    named: BTreeSet<BotId>,
    muted: BTreeSet<BotId>,
    /// What both are charged with.
    bytes: u64,
}

impl Lists {
    /// Names a bot, or mutes it. False, and unchanged: there would be more than `most` in the list,
    /// or it takes more bytes than are left.
    fn subscribe(&mut self, bot: &BotId, wanted: bool, most: usize, left: u64) -> bool {
        let Self {
            named,
            muted,
            bytes,
        } = self;
        let (into, out_of) = match wanted {
            true => (named, muted),
            false => (muted, named),
        };
        if into.contains(bot) {
            return true;
        }
        let moves = out_of.contains(bot);
        let charge = if moves { 0 } else { charge_of(bot) };
        if into.len() >= most || charge > left {
            return false;
        }
        out_of.remove(bot);
        into.insert(bot.clone());
        *bytes += charge;
        true
    }
}

/// What a subscription is charged with, bytes.
fn charge_of(bot: &BotId) -> u64 {
    (bot.as_str().len() + SUBSCRIPTION_OVERHEAD_BYTES) as u64
}

impl Watch {
    /// Of every bot it may see, as a socket begins whose greeting has all changes so far.
    pub fn all(presence: &Presence) -> Self {
        Self {
            told: presence.last(),
            all: true,
            lists: None,
        }
    }

    /// Of those it named only, as a socket that holds bots goes on: or every bot of a tenant would
    /// be told of every other.
    pub fn unwatch_all(&mut self) {
        self.all = false;
    }

    pub fn sees(&self, bot: &BotId) -> bool {
        let Some(lists) = &self.lists else {
            return self.all;
        };
        lists.named.contains(bot) || (self.all && !lists.muted.contains(bot))
    }

    pub fn sees_any(&self) -> bool {
        self.all || self.lists.as_ref().is_some_and(|it| !it.named.is_empty())
    }

    pub fn bytes(&self) -> u64 {
        self.lists.as_ref().map_or(0, |lists| lists.bytes)
    }

    fn lists(&mut self) -> &mut Lists {
        self.lists.get_or_insert_default()
    }
}

impl Tenant {
    pub(super) fn subscribe(
        &mut self,
        env: &Env<'_>,
        key: ConnKey,
        id: Option<FrameId>,
        bot: BotId,
        wanted: bool,
        fx: &mut TenantEffects,
    ) {
        let known = self.routes.bot(&bot).is_some();
        let unknown = Refusal::from(self.unknown(env));
        let bots_max = self.limits.bots_per_tenant as usize;
        let Some(conn) = self.routes.connection_mut(key) else {
            return;
        };
        if !known || !may_see(&conn.grant, &bot) {
            return fx.refuse(key, id.as_ref(), unknown);
        }
        let before = conn.watch.bytes();
        let most = self.limits.subscription_bytes_per_tenant;
        let left = most.saturating_sub(self.presence.subscribed_bytes);
        if !conn.watch.lists().subscribe(&bot, wanted, bots_max, left) {
            let refusal = Refusal::from(ErrorCode::QuotaExceeded);
            return fx.refuse(key, id.as_ref(), refusal);
        }
        self.presence.subscribed_bytes += conn.watch.bytes() - before;
        let done = Subscription { bot_id: bot };
        let answer = match wanted {
            true => Answer::Subscribed(done),
            false => Answer::Unsubscribed(done),
        };
        fx.answer(key, id.as_ref(), answer);
    }
}
