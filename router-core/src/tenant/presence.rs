//! Tells of bots that came and went.
//!
//! Changes gather for 100 ms, newest wins; then every socket that watches the bot gets one
//! `bot_status`. A round over many sockets is cut into holds of the shard's lock of about 256
//! frames, and between two of them others get their turn.
//!
//! Frames go out one by one: the outcome of one decides what comes next. A socket whose queue has no
//! room is not tried again before [`Input::Room`](crate::shard::Input::Room) says that it has; then it
//! is told what changed since, in its newest form. One that is further behind than [`BotChanges`] reach
//! is closed with 4408.

use std::collections::{BTreeMap, BTreeSet};

use protocol::frame::{ServerMessage, Status, TypedStatus};
use protocol::limits::{PRESENCE_FANOUT_MAX, PRESENCE_FLUSH_MS};
use protocol::presence::{BotInfo, BotState, BotStatus, Subscription};
use protocol::{BotId, CloseCode, ErrorCode, FrameId, Limits};

use super::Tenant;
use super::changes::BotChanges;
use crate::check;
use crate::effect::{Class, Effect, Effects, Outbound, Outcome, Receipt};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::permit::may_see;
use crate::refusal::Refusal;

/// Charged for each bot that a socket named or muted, beside the bytes of its id: a place in a set, and
/// the allocation of a long id.
const SUBSCRIPTION_OVERHEAD_BYTES: usize = 64;
/// Questions whether a socket sees a bot, in one hold.
const LOOKS_MAX: usize = 16 * PRESENCE_FANOUT_MAX;
/// BotChanges that are kept for slow sockets, for each bot that the tenant may have: all that are
/// listed, and as many that are not any more.
const CHANGES_PER_BOT: usize = 2;

/// Which bots a socket is told of.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The last change that it was told.
    told: u64,
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
            told: presence.changes.last(),
            all: true,
            lists: None,
        }
    }

    /// Of those it named only, as a socket that holds bots goes on: or every bot of a tenant would
    /// be told of every other.
    pub fn unwatch_all(&mut self) {
        self.all = false;
    }

    fn sees(&self, bot: &BotId) -> bool {
        let Some(lists) = &self.lists else {
            return self.all;
        };
        lists.named.contains(bot) || (self.all && !lists.muted.contains(bot))
    }

    fn sees_any(&self) -> bool {
        self.all || self.lists.as_ref().is_some_and(|it| !it.named.is_empty())
    }

    fn bytes(&self) -> u64 {
        self.lists.as_ref().map_or(0, |lists| lists.bytes)
    }

    fn lists(&mut self) -> &mut Lists {
        self.lists.get_or_insert_default()
    }
}

/// The changes of a tenant's bots, and who is told of them now.
#[derive(Debug)]
pub(super) struct Presence {
    /// Not told to anybody yet; newest wins.
    gathered: BTreeMap<BotId, BotStatus>,
    flush_ms: Option<Millis>,
    changes: BotChanges,
    changes_max: usize,
    /// On its way over all sockets.
    round: Option<Round>,
    /// When a round was cut, or somebody has room again: the next hold is due, behind who waits for
    /// longer.
    due_ms: Option<Millis>,
    /// Sockets without room: not tried before they have some.
    full: BTreeSet<ConnKey>,
    /// Sockets that have room again, and are behind.
    behind: BTreeSet<ConnKey>,
    telling: Option<PendingTell>,
    /// What all subscriptions of the tenant's sockets are charged with.
    subscribed_bytes: u64,
}

/// One pass over all sockets.
#[derive(Debug)]
struct Round {
    /// The last change that it tells.
    until: u64,
    /// The socket with which it goes on.
    next: ConnKey,
}

/// The frame whose outcome is awaited.
#[derive(Debug)]
struct PendingTell {
    receipt: u64,
    conn: ConnKey,
    change: u64,
    hold: TellBudget,
}

/// What is left of one hold of the shard's lock.
#[derive(Debug, Clone, Copy)]
struct TellBudget {
    frames: usize,
    looks: usize,
}

impl TellBudget {
    const NEW: Self = Self {
        frames: PRESENCE_FANOUT_MAX,
        looks: LOOKS_MAX,
    };

    /// Counts one question whether a socket sees a bot.
    fn look(&mut self) -> TellStep {
        if self.frames == 0 || self.looks == 0 {
            return TellStep::Cut;
        }
        self.looks -= 1;
        TellStep::Done
    }
}

/// How far telling a socket came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TellStep {
    /// A frame is on its way to it.
    Telling,
    /// It knows all that it should.
    Done,
    /// The hold is used up.
    Cut,
}

impl Presence {
    pub fn new(limits: &Limits) -> Self {
        Self {
            gathered: BTreeMap::new(),
            flush_ms: None,
            changes: BotChanges::default(),
            changes_max: CHANGES_PER_BOT * limits.bots_per_tenant as usize,
            round: None,
            due_ms: None,
            full: BTreeSet::new(),
            behind: BTreeSet::new(),
            telling: None,
            subscribed_bytes: 0,
        }
    }

    /// Remembers a change until the next round. Full: news of a bot that is gone gives way.
    pub fn changed(&mut self, info: &BotInfo, now_ms: Millis) {
        let status = BotStatus {
            bot_id: info.id.clone(),
            name: info.name.clone(),
            status: info.status,
            since: info.since,
        };
        if self.gathered.len() >= self.changes_max && !self.gathered.contains_key(&info.id) {
            let mut gone = self.gathered.iter();
            let gone = gone.find(|(_, status)| status.status == BotState::Offline);
            let gone = gone.map(|(bot, _)| bot.clone());
            gone.and_then(|bot| self.gathered.remove(&bot));
        }
        self.gathered.insert(info.id.clone(), status);
        self.flush_ms.get_or_insert(now_ms + PRESENCE_FLUSH_MS);
    }

    /// When the next round, or the rest of this one, is due.
    pub fn flush_ms(&self) -> Option<Millis> {
        match self.round {
            Some(_) => self.due_ms,
            None => self.due_ms.into_iter().chain(self.flush_ms).min(),
        }
    }

    /// A socket is gone.
    pub fn forget(&mut self, conn: ConnKey, watch: &Watch) {
        self.full.remove(&conn);
        self.behind.remove(&conn);
        self.subscribed_bytes -= watch.bytes();
    }
}

impl Tenant {
    pub(super) fn flush_presence(&mut self, env: &Env<'_>, fx: &mut Effects) {
        let presence = &mut self.presence;
        let due = presence.flush_ms.is_some_and(|at_ms| env.now_ms >= at_ms);
        if presence.round.is_none() && due {
            presence.flush_ms = None;
            for status in std::mem::take(&mut presence.gathered).into_values() {
                presence.changes.push(status);
            }
            presence.round = Some(Round {
                until: presence.changes.last(),
                next: ConnKey(0),
            });
            self.close_those_far_behind(fx);
        }
        self.presence.due_ms = None;
        self.tell_next(env, TellBudget::NEW, fx);
    }

    /// A socket's queue has room again.
    pub(crate) fn room(&mut self, env: &Env<'_>, key: ConnKey, fx: &mut Effects) {
        if self.presence.full.remove(&key) {
            self.presence.behind.insert(key);
            self.tell_next(env, TellBudget::NEW, fx);
        }
    }

    /// Forgets what is too much, and closes the sockets that were still owed it.
    fn close_those_far_behind(&mut self, fx: &mut Effects) {
        let Presence {
            changes,
            changes_max,
            full,
            behind,
            ..
        } = &mut self.presence;
        let mut forgotten = 0;
        while changes.len() > *changes_max
            && let Some(number) = changes.drop_first()
        {
            forgotten = number;
        }
        if forgotten == 0 {
            return;
        }
        for key in full.iter().chain(behind.iter()).copied() {
            let conn = self.routes.connection(key);
            if conn.is_some_and(|conn| conn.watch.told < forgotten) {
                let close = CloseCode::SlowConsumer;
                fx.push(Effect::Close { conn: key, close });
            }
        }
    }

    /// Tells the next change to the next socket; its outcome goes on with the one after.
    fn tell_next(&mut self, env: &Env<'_>, mut hold: TellBudget, fx: &mut Effects) {
        while let Some(key) = self.presence.behind.first().copied() {
            let until = self.presence.changes.last();
            match self.tell_one(env, key, until, &mut hold, fx) {
                TellStep::Telling => return,
                TellStep::Cut => return self.presence.due_ms = Some(env.now_ms),
                TellStep::Done => drop(self.presence.behind.remove(&key)),
            }
        }
        while let Some(Round { until, next }) = self.presence.round {
            let found = self.routes.connections_from(next).next();
            let Some(key) = found.map(|(key, _)| key) else {
                self.presence.round = None;
                self.forget_what_all_know();
                break;
            };
            let step = if self.presence.full.contains(&key) {
                hold.look()
            } else {
                self.tell_one(env, key, until, &mut hold, fx)
            };
            let next = match step {
                TellStep::Telling | TellStep::Cut => key,
                TellStep::Done => ConnKey(key.0 + 1),
            };
            self.presence.round = Some(Round { until, next });
            match step {
                TellStep::Telling => return,
                TellStep::Cut => return self.presence.due_ms = Some(env.now_ms),
                TellStep::Done => {}
            }
        }
        if self.presence.full.is_empty() && self.presence.behind.is_empty() {
            self.presence.changes.drop_told(u64::MAX);
        }
    }

    /// Tells a socket the next change that it sees.
    fn tell_one(
        &mut self,
        env: &Env<'_>,
        key: ConnKey,
        until: u64,
        hold: &mut TellBudget,
        fx: &mut Effects,
    ) -> TellStep {
        let changes = &mut self.presence.changes;
        let Some(conn) = self.routes.connection_mut(key) else {
            return TellStep::Done;
        };
        if !conn.watch.sees_any() {
            conn.watch.told = until;
            return hold.look();
        }
        let change = loop {
            if hold.look() == TellStep::Cut {
                return TellStep::Cut;
            }
            let Some((number, bot)) = changes.next(conn.watch.told, until) else {
                conn.watch.told = conn.watch.told.max(until);
                return TellStep::Done;
            };
            conn.watch.told = number;
            if conn.watch.sees(bot) && may_see(&conn.grant, bot) {
                break number;
            }
        };
        let Some(text) = changes.frame(change, env) else {
            return TellStep::Done;
        };
        hold.frames -= 1;
        let number = self.number();
        self.presence.telling = Some(PendingTell {
            receipt: number,
            conn: key,
            change,
            hold: *hold,
        });
        let receipt = Some(Receipt {
            tenant: self.id.clone(),
            number,
        });
        let class = Class::Presence;
        let frame = Outbound { text, class };
        fx.push(Effect::Deliver {
            receipt,
            conn: key,
            frame,
        });
        TellStep::Telling
    }

    /// Only sockets that cannot take news keep the changes that a round has told.
    fn forget_what_all_know(&mut self) {
        let Presence {
            changes,
            full,
            behind,
            ..
        } = &mut self.presence;
        let slow = full.iter().chain(behind.iter());
        let told = slow.filter_map(|key| Some(self.routes.connection(*key)?.watch.told));
        changes.drop_told(told.min().unwrap_or(u64::MAX));
    }

    /// Takes the outcome of a presence delivery.
    pub(crate) fn presence_settled(
        &mut self,
        env: &Env<'_>,
        number: u64,
        outcome: Outcome,
        fx: &mut Effects,
    ) {
        let telling = self.presence.telling.take();
        let Some(telling) = telling.filter(|it| it.receipt == number) else {
            check!(
                Invariant::OneAnswer,
                false,
                "delivery {number} was settled twice"
            );
            return;
        };
        let PendingTell {
            conn: key,
            change,
            hold,
            ..
        } = telling;
        match (outcome, self.routes.connection_mut(key)) {
            (Outcome::Queued, _) | (_, None) => {}
            (Outcome::Full | Outcome::Gone, Some(conn)) => {
                conn.watch.told = change - 1;
                self.presence.full.insert(key);
                self.presence.behind.remove(&key);
            }
        }
        self.tell_next(env, hold, fx);
    }

    pub(super) fn subscribe(
        &mut self,
        env: &Env<'_>,
        key: ConnKey,
        id: Option<FrameId>,
        bot: BotId,
        wanted: bool,
        fx: &mut Effects,
    ) {
        let known = self.routes.bot(&bot).is_some();
        let unknown = Refusal::from(self.unknown(env));
        let bots_max = self.limits.bots_per_tenant as usize;
        let Some(conn) = self.routes.connection_mut(key) else {
            return;
        };
        if !known || !may_see(&conn.grant, &bot) {
            return unknown.tell(env, key, id.as_ref(), fx);
        }
        let before = conn.watch.bytes();
        let most = self.limits.subscription_bytes_per_tenant;
        let left = most.saturating_sub(self.presence.subscribed_bytes);
        if !conn.watch.lists().subscribe(&bot, wanted, bots_max, left) {
            let refusal = Refusal::from(ErrorCode::QuotaExceeded);
            return refusal.tell(env, key, id.as_ref(), fx);
        }
        self.presence.subscribed_bytes += conn.watch.bytes() - before;
        let done = Subscription { bot_id: bot };
        let status = match wanted {
            true => TypedStatus::Subscribed(done),
            false => TypedStatus::Unsubscribed(done),
        };
        self.answer(
            env,
            key,
            id.as_ref(),
            &ServerMessage::Status(Status::Typed(status)),
            fx,
        );
    }
}
