//! Tells of bots that came and went.
//!
//! Changes gather for 100 ms, newest wins; then every socket that watches the bot gets one
//! `bot_status`. A round over many sockets is cut into holds of the shard's lock of about 256
//! frames, and between two of them others get their turn.
//!
//! Frames go out one by one: the outcome of one decides what comes next. A socket whose queue has no
//! room is not tried again before [`Input::Room`](crate::shard::Input::Room) says that it has; then it
//! is told what changed since, in its newest form. One that is further behind than the changes that are kept
//! is closed with 4408.

use protocol::limits::PRESENCE_FLUSH_MS;
use protocol::presence::{BotInfo, BotStatus};
use protocol::{CloseCode, Limits, Outbound};

use super::Tenant;

use super::news::{News, PendingTell, Round, TellBudget, TellStep};
use super::subscriptions::Watch;
use crate::check;
use crate::effect::{Outcome, Receipt, TenantEffect, TenantEffects};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::permit::may_see;

/// Changes that are kept for slow sockets, for each bot that the tenant may have: all that are
/// listed, and as many that are not any more.
const CHANGES_PER_BOT: usize = 2;

/// What a tenant keeps to tell of its bots.
#[derive(Debug)]
pub(super) struct Presence {
    /// Absent while no change is pending: most tenants, most of the time.
    news: Option<Box<News>>,
    /// The number of the last change, while there are no news.
    last: u64,
    changes_max: usize,
    /// What all subscriptions of the tenant's sockets are charged with.
    pub subscribed_bytes: u64,
}

impl Presence {
    pub fn new(limits: &Limits) -> Self {
        Self {
            news: None,
            last: 0,
            changes_max: CHANGES_PER_BOT * limits.bots_per_tenant as usize,
            subscribed_bytes: 0,
        }
    }

    /// The number of the last change.
    pub fn last(&self) -> u64 {
        let news = self.news.as_ref();
        news.map_or(self.last, |news| news.changes.last())
    }

    /// Remembers a change until the next round.
    pub fn changed(&mut self, info: &BotInfo, now_ms: Millis) {
        let status = BotStatus {
            bot_id: info.id.clone(),
            name: info.name.clone(),
            status: info.status,
            since: info.since,
        };
        let last = self.last;
        let news = self.news.get_or_insert_with(|| Box::new(News::after(last)));
        news.gather(status, self.changes_max);
        news.flush_ms.get_or_insert(now_ms + PRESENCE_FLUSH_MS);
    }

    /// When the next round, or the rest of this one, is due.
    pub fn flush_ms(&self) -> Option<Millis> {
        let news = self.news.as_ref()?;
        match news.round {
            Some(_) => news.due_ms,
            None => news.due_ms.into_iter().chain(news.flush_ms).min(),
        }
    }

    /// A socket is gone.
    pub fn forget(&mut self, conn: ConnKey, watch: &Watch) {
        self.subscribed_bytes -= watch.bytes();
        if let Some(news) = &mut self.news {
            news.full.remove(&conn);
            news.behind.remove(&conn);
        }
        self.rest();
    }

    /// Frees the changes once every socket has been sent them.
    fn rest(&mut self) {
        if let Some(news) = self.news.take_if(|news| news.is_over()) {
            self.last = news.changes.last();
        }
    }
}

impl Tenant {
    pub(super) fn flush_presence(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let Some(news) = &mut self.presence.news else {
            return;
        };
        let due = news.flush_ms.is_some_and(|at_ms| env.now_ms >= at_ms);
        if news.round.is_none() && due {
            news.begin_round();
            self.close_those_far_behind(fx);
        }
        self.tell_next(env, TellBudget::NEW, fx);
    }

    /// A socket's queue has room again.
    pub(crate) fn room(&mut self, env: &Env<'_>, key: ConnKey, fx: &mut TenantEffects) {
        if let Some(news) = &mut self.presence.news
            && news.full.remove(&key)
        {
            news.behind.insert(key);
            self.tell_next(env, TellBudget::NEW, fx);
        }
    }

    /// Forgets what is too much, and closes the sockets that were still owed it.
    fn close_those_far_behind(&mut self, fx: &mut TenantEffects) {
        let Some(news) = &mut self.presence.news else {
            return;
        };
        let forgotten = news.forget_beyond(self.presence.changes_max);
        for key in news.slow() {
            let conn = self.routes.connection(key);
            if conn.is_some_and(|conn| conn.watch.told < forgotten) {
                let close = CloseCode::SlowConsumer;
                fx.push(TenantEffect::Close { conn: key, close });
            }
        }
    }

    /// Tells the next change to the next socket; its outcome goes on with the one after.
    fn tell_next(&mut self, env: &Env<'_>, mut hold: TellBudget, fx: &mut TenantEffects) {
        let Some(mut news) = self.presence.news.take() else {
            return;
        };
        news.due_ms = None;
        let had_round = news.round.is_some();
        match self.tell(env, &mut news, &mut hold, fx) {
            TellStep::Telling => {}
            TellStep::Cut => news.due_ms = Some(env.now_ms),
            // Once a round, as it asks every slow socket.
            TellStep::Done if had_round => {
                let slow = news.slow();
                let told = slow.filter_map(|key| Some(self.routes.connection(key)?.watch.told));
                let told = told.min().unwrap_or(u64::MAX);
                news.changes.drop_told(told);
            }
            TellStep::Done => {}
        }
        self.presence.news = Some(news);
        self.presence.rest();
    }

    /// First those who are behind, then the round; `Done`: everybody knows what they can take.
    fn tell(
        &mut self,
        env: &Env<'_>,
        news: &mut News,
        hold: &mut TellBudget,
        fx: &mut TenantEffects,
    ) -> TellStep {
        while let Some(key) = news.behind.first().copied() {
            let until = news.changes.last();
            match self.tell_one(env, news, (key, until), hold, fx) {
                TellStep::Done => drop(news.behind.remove(&key)),
                step @ (TellStep::Telling | TellStep::Cut) => return step,
            }
        }
        while let Some(Round { until, next }) = news.round {
            let found = self.routes.connections_from(next).next();
            let Some(key) = found.map(|(key, _)| key) else {
                news.round = None;
                break;
            };
            let step = match news.full.contains(&key) {
                true => hold.look(),
                false => self.tell_one(env, news, (key, until), hold, fx),
            };
            let next = match step {
                TellStep::Telling | TellStep::Cut => key,
                TellStep::Done => ConnKey(key.0 + 1),
            };
            news.round = Some(Round { until, next });
            if step != TellStep::Done {
                return step;
            }
        }
        TellStep::Done
    }

    /// Tells a socket the next change that it sees, up to one.
    fn tell_one(
        &mut self,
        env: &Env<'_>,
        news: &mut News,
        (key, until): (ConnKey, u64),
        hold: &mut TellBudget,
        fx: &mut TenantEffects,
    ) -> TellStep {
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
            let Some((number, bot)) = news.changes.next(conn.watch.told, until) else {
                conn.watch.told = conn.watch.told.max(until);
                return TellStep::Done;
            };
            conn.watch.told = number;
            if conn.watch.sees(bot) && may_see(&conn.grant, bot) {
                break number;
            }
        };
        let Some(status) = news.changes.tell(change, env) else {
            return TellStep::Done;
        };
        hold.frames -= 1;
        let number = self.number();
        news.telling = Some(PendingTell {
            receipt: number,
            conn: key,
            change,
            hold: *hold,
        });
        let receipt = Some(Receipt {
            tenant: self.id.clone(),
            number,
        });
        fx.push(TenantEffect::Deliver {
            receipt,
            conn: key,
            outbound: Outbound::Presence(status),
        });
        TellStep::Telling
    }

    /// Takes the outcome of a presence delivery.
    pub(crate) fn presence_settled(
        &mut self,
        env: &Env<'_>,
        number: u64,
        outcome: Outcome,
        fx: &mut TenantEffects,
    ) {
        let news = self.presence.news.as_mut();
        let telling = news.and_then(|news| news.telling.take());
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
        if let (Outcome::Full | Outcome::Gone, Some(conn), Some(news)) = (
            outcome,
            self.routes.connection_mut(key),
            &mut self.presence.news,
        ) {
            conn.watch.told = change - 1;
            news.full.insert(key);
            news.behind.remove(&key);
        }
        self.tell_next(env, hold, fx);
    }
}
