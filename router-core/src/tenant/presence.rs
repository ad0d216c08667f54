//! Tells of bots that came and went.
//!
//! Changes gather for 100 ms, newest wins; then every socket that watches the bot gets one
//! `bot_status`. A round over many sockets is cut into holds of the shard's lock of about 256
//! frames, and between two of them others get their turn. A socket whose queue is full is owed the
//! frame and gets it, in its newest form, with a later round.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::codec::encode;
use protocol::frame::{ServerMessage, Status, TypedStatus};
use protocol::limits::{PRESENCE_FANOUT_MAX, PRESENCE_FLUSH_MS};
use protocol::presence::{BotInfo, BotStatus, Subscription};
use protocol::{BotId, ErrorCode, FrameId};

use super::Tenant;
use crate::check;
use crate::effect::{Class, Effect, Effects, Outbound, Outcome, Receipt};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::permit::may_see;
use crate::refusal::Refusal;

/// Questions whether a socket sees a bot, in one hold.
const LOOKS_MAX: usize = 16 * PRESENCE_FANOUT_MAX;

/// Which bots a socket is told of.
#[derive(Debug, Default)]
pub(super) struct Watch {
    all: bool,
    /// Absent for most sockets: they name and mute nobody, and are owed nothing.
    lists: Option<Box<Lists>>,
}

#[derive(Debug, Default)]
struct Lists {
    named: BTreeSet<BotId>,
    muted: BTreeSet<BotId>,
    owed: BTreeMap<BotId, BotStatus>,
}

impl Watch {
    /// Of every bot it may see, as a socket begins.
    pub fn all() -> Self {
        Self {
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

    fn lists(&mut self) -> &mut Lists {
        self.lists.get_or_insert_default()
    }

    fn take_owed(&mut self) -> BTreeMap<BotId, BotStatus> {
        let lists = self.lists.as_mut();
        lists.map_or_else(BTreeMap::new, |lists| std::mem::take(&mut lists.owed))
    }
}

/// The changes of a tenant's bots that are not told yet.
#[derive(Debug, Default)]
pub(super) struct Presence {
    changed: BTreeMap<BotId, BotStatus>,
    flush_ms: Option<Millis>,
    round: Option<Round>,
    told: Option<Told>,
}

/// One set of changes on its way to all sockets.
#[derive(Debug)]
struct Round {
    /// By bot id.
    frames: Vec<(BotStatus, Bytes)>,
    /// The socket and the frame with which it goes on.
    next: (ConnKey, usize),
    /// When it was cut: it is due again behind who waits for longer.
    cut_ms: Millis,
}

impl Round {
    fn has(&self, bot: &BotId) -> bool {
        let found = self.frames.binary_search_by_key(&bot, |(it, _)| &it.bot_id);
        found.is_ok()
    }
}

/// A run of deliveries whose outcomes are awaited: receipt numbers from `first` on.
#[derive(Debug)]
struct Told {
    first: u64,
    to: Vec<(ConnKey, BotStatus)>,
}

impl Presence {
    /// Remembers a change until the next round.
    pub fn changed(&mut self, info: &BotInfo, now_ms: Millis) {
        let status = BotStatus {
            bot_id: info.id.clone(),
            name: info.name.clone(),
            status: info.status,
            since: info.since,
        };
        self.changed.insert(info.id.clone(), status);
        self.flush_ms.get_or_insert(now_ms + PRESENCE_FLUSH_MS);
    }

    /// When the next round, or the rest of this one, is due.
    pub fn flush_ms(&self) -> Option<Millis> {
        let round_ms = self.round.as_ref().map(|round| round.cut_ms);
        round_ms.or(self.flush_ms)
    }
}

impl Tenant {
    pub(super) fn flush_presence(&mut self, env: &Env<'_>, fx: &mut Effects) {
        let due = self
            .presence
            .flush_ms
            .is_some_and(|at_ms| env.now_ms >= at_ms);
        if self.presence.round.is_none() && due {
            self.presence.flush_ms = None;
            let changed = std::mem::take(&mut self.presence.changed);
            let frames = changed
                .into_values()
                .map(|status| (status.clone(), status_frame(env, status)));
            self.presence.round = Some(Round {
                frames: frames.collect(),
                next: (ConnKey(0), 0),
                cut_ms: env.now_ms,
            });
        }
        let Some(round) = self.presence.round.take() else {
            return;
        };
        let (first, mut from) = round.next;
        let mut to: Vec<(ConnKey, BotStatus)> = Vec::new();
        let mut frames: Vec<Bytes> = Vec::new();
        let mut looks = 0;
        let mut rest = None;
        'sockets: for (key, conn) in self.routes.connections_from(first) {
            if key != first {
                from = 0;
            }
            let is_enough = to.len() >= PRESENCE_FANOUT_MAX || looks >= LOOKS_MAX;
            // Every hold gets on, whatever a socket is owed.
            if is_enough && (key, from) != round.next {
                rest = Some((key, from));
                break;
            }
            looks += 1;
            if from == 0 {
                let owed = conn.watch.take_owed().into_iter();
                for (bot, status) in owed.filter(|(bot, _)| !round.has(bot)) {
                    if conn.watch.sees(&bot) {
                        frames.push(status_frame(env, status.clone()));
                        to.push((key, status));
                    }
                }
            }
            for (at, (status, text)) in round.frames.iter().enumerate().skip(from) {
                let is_enough = to.len() >= PRESENCE_FANOUT_MAX || looks >= LOOKS_MAX;
                if is_enough && (key, at) != round.next {
                    rest = Some((key, at));
                    break 'sockets;
                }
                looks += 1;
                if conn.watch.sees(&status.bot_id) && may_see(&conn.grant, &status.bot_id) {
                    to.push((key, status.clone()));
                    frames.push(text.clone());
                }
            }
        }
        if let Some(next) = rest {
            self.presence.round = Some(Round {
                next,
                cut_ms: env.now_ms,
                ..round
            });
        }
        self.tell(to, frames, fx);
    }

    fn tell(&mut self, to: Vec<(ConnKey, BotStatus)>, frames: Vec<Bytes>, fx: &mut Effects) {
        let first = self.numbers + 1;
        for ((conn, _), text) in to.iter().zip(frames) {
            let receipt = Some(Receipt {
                tenant: self.id.clone(),
                number: self.number(),
            });
            let frame = Outbound {
                text,
                class: Class::Presence,
            };
            fx.push(Effect::Deliver {
                receipt,
                conn: *conn,
                frame,
            });
        }
        self.presence.told = (!to.is_empty()).then_some(Told { first, to });
    }

    /// Takes the outcome of a presence delivery.
    pub(crate) fn presence_settled(&mut self, env: &Env<'_>, number: u64, outcome: Outcome) {
        let told = self.presence.told.as_ref();
        let at = told.and_then(|told| usize::try_from(number.checked_sub(told.first)?).ok());
        let delivery = told.zip(at).and_then(|(told, at)| {
            let is_last = at + 1 == told.to.len();
            told.to.get(at).map(|delivery| (delivery, is_last))
        });
        let Some(((conn, status), is_last)) = delivery else {
            check!(
                Invariant::OneAnswer,
                false,
                "delivery {number} was settled twice"
            );
            return;
        };
        if outcome == Outcome::Full
            && let Some(conn) = self.routes.connection_mut(*conn)
        {
            let owed = &mut conn.watch.lists().owed;
            owed.insert(status.bot_id.clone(), status.clone());
            self.presence
                .flush_ms
                .get_or_insert(env.now_ms + PRESENCE_FLUSH_MS);
        }
        if is_last {
            self.presence.told = None;
        }
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
        let Lists { named, muted, .. } = conn.watch.lists();
        let (into, out_of) = if wanted {
            (named, muted)
        } else {
            (muted, named)
        };
        if into.len() >= bots_max && !into.contains(&bot) {
            let refusal = Refusal::from(ErrorCode::QuotaExceeded);
            return refusal.tell(env, key, id.as_ref(), fx);
        }
        out_of.remove(&bot);
        into.insert(bot.clone());
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

fn status_frame(env: &Env<'_>, status: BotStatus) -> Bytes {
    encode::server(&ServerMessage::BotStatus(status), None, env.now_ms)
}
