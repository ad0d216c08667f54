//! Tells sockets the changes, one frame at a time.

use protocol::{CloseCode, Outbound};

use super::Presence;
use super::news::{PendingTell, PresenceNews, TellBudget, TellRound, TellStep};
use crate::check;
use crate::effect::{Outcome, TenantEffect, TenantEffects};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::permit::may_see;
use crate::tenant::context::ReceiptCounter;
use crate::tenant::members::Members;

/// The sockets that are told, and the names of what they are told under.
pub(in crate::tenant) struct PresenceAudience<'a> {
    pub members: &'a mut Members,
    pub receipts: &'a mut ReceiptCounter,
}

impl Presence {
    /// Begins a round that is due, or goes on with one.
    pub fn flush(&mut self, env: &Env<'_>, mut to: PresenceAudience<'_>, fx: &mut TenantEffects) {
        let Some(news) = &mut self.news else {
            return;
        };
        let due = news.flush_ms.is_some_and(|at_ms| env.now_ms >= at_ms);
        if news.round.is_none() && due {
            news.begin_round();
            close_those_far_behind(news, self.changes_max, to.members, fx);
        }
        self.tell_next(env, &mut to, TellBudget::NEW, fx);
    }

    /// A socket's queue has room again.
    pub fn room(
        &mut self,
        env: &Env<'_>,
        key: ConnKey,
        mut to: PresenceAudience<'_>,
        fx: &mut TenantEffects,
    ) {
        if let Some(news) = &mut self.news
            && news.full.remove(&key)
        {
            news.behind.insert(key);
            self.tell_next(env, &mut to, TellBudget::NEW, fx);
        }
    }

    /// Takes the outcome of a delivery, and tells the next change.
    pub fn settled(
        &mut self,
        env: &Env<'_>,
        (number, outcome): (u64, Outcome),
        mut to: PresenceAudience<'_>,
        fx: &mut TenantEffects,
    ) {
        let news = self.news.as_mut();
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
        if let (Outcome::Full | Outcome::Gone, Some(conn), Some(news)) =
            (outcome, to.members.connection_mut(key), &mut self.news)
        {
            conn.watch.told = change - 1;
            news.full.insert(key);
            news.behind.remove(&key);
        }
        self.tell_next(env, &mut to, hold, fx);
    }

    /// Tells the next change to the next socket; its outcome goes on with the one after.
    fn tell_next(
        &mut self,
        env: &Env<'_>,
        to: &mut PresenceAudience<'_>,
        mut hold: TellBudget,
        fx: &mut TenantEffects,
    ) {
        let Some(news) = &mut self.news else {
            return;
        };
        news.due_ms = None;
        let had_round = news.round.is_some();
        match tell(env, news, to, &mut hold, fx) {
            TellStep::Telling => {}
            TellStep::Cut => news.due_ms = Some(env.now_ms),
            // Once a round, as it asks every slow socket.
            TellStep::Done if had_round => {
                let slow = news.slow();
                let told = slow.filter_map(|key| Some(to.members.connection(key)?.watch.told));
                let told = told.min().unwrap_or(u64::MAX);
                news.changes.drop_told(told);
            }
            TellStep::Done => {}
        }
        self.drop_news_if_told();
    }
}

/// Forgets what is too much, and closes the sockets that were still owed it.
fn close_those_far_behind(
    news: &mut PresenceNews,
    changes_max: usize,
    members: &Members,
    fx: &mut TenantEffects,
) {
    let forgotten = news.forget_beyond(changes_max);
    for key in news.slow() {
        let conn = members.connection(key);
        if conn.is_some_and(|conn| conn.watch.told < forgotten) {
            let close = CloseCode::SlowConsumer;
            fx.push(TenantEffect::Close { conn: key, close });
        }
    }
}

/// First those who are behind, then the round; `Done`: everybody knows what they can take.
fn tell(
    env: &Env<'_>,
    news: &mut PresenceNews,
    to: &mut PresenceAudience<'_>,
    hold: &mut TellBudget,
    fx: &mut TenantEffects,
) -> TellStep {
    while let Some(key) = news.behind.first().copied() {
        let until = news.changes.last();
        match tell_one(env, news, (key, until), (to, hold), fx) {
            TellStep::Done => drop(news.behind.remove(&key)),
            step @ (TellStep::Telling | TellStep::Cut) => return step,
        }
    }
    while let Some(TellRound { until, next }) = news.round {
        let Some(key) = to.members.next_connection(next) else {
            news.round = None;
            break;
        };
        let step = match news.full.contains(&key) {
            true => hold.look(),
            false => tell_one(env, news, (key, until), (to, hold), fx),
        };
        let next = match step {
            TellStep::Telling | TellStep::Cut => key,
            TellStep::Done => ConnKey(key.0 + 1),
        };
        news.round = Some(TellRound { until, next });
        if step != TellStep::Done {
            return step;
        }
    }
    TellStep::Done
}

/// Tells a socket the next change that it sees, up to one.
fn tell_one(
    env: &Env<'_>,
    news: &mut PresenceNews,
    (key, until): (ConnKey, u64),
    (to, hold): (&mut PresenceAudience<'_>, &mut TellBudget),
    fx: &mut TenantEffects,
) -> TellStep {
    let Some(conn) = to.members.connection_mut(key) else {
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
    let number = to.receipts.next_number();
    news.telling = Some(PendingTell {
        receipt: number,
        conn: key,
        change,
        hold: *hold,
    });
    fx.push(TenantEffect::Deliver {
        receipt: Some(to.receipts.receipt(number)),
        conn: key,
        outbound: Outbound::Presence(status),
    });
    TellStep::Telling
}
