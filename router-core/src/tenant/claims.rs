//! Makes a connection the home of a bot, one store request a bot at a time.
//!
//! ```text
//! register ─▶ checks ─▶ Ask(Claim) ─▶ Claimed ─▶ the old home is told, the new one answered
//!    │           └─ refused                          └─ the claimant is gone: Ask(Release)
//!    └─ another claim of this bot is outstanding: wait (at most 64)
//! ```

use std::collections::VecDeque;

use protocol::codec::encode;
use protocol::frame::ServerMessage;
use protocol::limits::CLAIMS_WAITING_MAX;
use protocol::presence::{
    BotInfo, BotRegistered, BotState, BotUnregistered, Takeover, UnregisterReason,
};
use protocol::{BotId, CloseCode, ConnectionId, ErrorCode, FrameId};
use smol_str::SmolStr;

use super::routes::Bot;
use super::{Asked, Tenant};
use crate::check;
use crate::effect::{Class, Effect, Effects, Fact};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::refusal::Refusal;
use crate::request::Registration;
use crate::store::{Ask, Claim, Reply};

/// What is being done about one bot.
#[derive(Debug)]
pub(super) struct Queue {
    outstanding: Op,
    waiting: VecDeque<Op>,
}

#[derive(Debug)]
struct Op {
    conn: ConnKey,
    conn_id: ConnectionId,
    id: Option<FrameId>,
    kind: OpKind,
}

#[derive(Debug)]
enum OpKind {
    Register(Registration),
    Unregister,
}

impl Tenant {
    pub(super) fn register(
        &mut self,
        env: &Env<'_>,
        conn: ConnKey,
        id: Option<FrameId>,
        registration: Registration,
        fx: &mut Effects,
    ) {
        let bot = registration.info.id.clone();
        self.queue(env, bot, conn, id, OpKind::Register(registration), fx);
    }

    pub(super) fn unregister(
        &mut self,
        env: &Env<'_>,
        conn: ConnKey,
        id: Option<FrameId>,
        bot: BotId,
        fx: &mut Effects,
    ) {
        self.queue(env, bot, conn, id, OpKind::Unregister, fx);
    }

    fn queue(
        &mut self,
        env: &Env<'_>,
        bot: BotId,
        conn: ConnKey,
        id: Option<FrameId>,
        kind: OpKind,
        fx: &mut Effects,
    ) {
        let Some(connection) = self.routes.connection(conn) else {
            return;
        };
        let op = Op {
            conn,
            conn_id: connection.id.clone(),
            id,
            kind,
        };
        match self.claims.get_mut(&bot) {
            None => {
                if let Some(outstanding) = self.start(env, &bot, op, fx) {
                    self.claims.insert(
                        bot,
                        Queue {
                            outstanding,
                            waiting: VecDeque::new(),
                        },
                    );
                }
            }
            Some(queue) if queue.waiting.len() < CLAIMS_WAITING_MAX => {
                queue.waiting.push_back(op);
                let waiting = queue.waiting.len();
                check!(
                    Invariant::Bounded,
                    waiting <= CLAIMS_WAITING_MAX,
                    "{waiting} wait"
                );
            }
            Some(_) => {
                let refusal = Refusal::from(ErrorCode::StoreUnavailable);
                refusal.tell(env, op.conn, op.id.as_ref(), fx);
            }
        }
    }

    /// Asks the store, or refuses; returns the operation if it is outstanding now.
    fn start(&mut self, env: &Env<'_>, bot: &BotId, op: Op, fx: &mut Effects) -> Option<Op> {
        self.routes.connection(op.conn)?;
        let verdict = match &op.kind {
            OpKind::Register(registration) => self.may_register(env, bot, op.conn, registration),
            OpKind::Unregister => self.may_unregister(env, bot, op.conn),
        };
        if let Err(refusal) = verdict {
            refusal.tell(env, op.conn, op.id.as_ref(), fx);
            return None;
        }
        let ask = match &op.kind {
            OpKind::Register(registration) => Ask::Claim(Box::new(Claim {
                conn: op.conn_id.clone(),
                bot: registration.info.clone(),
                instance: registration.instance.clone(),
                known_ver: self.ver,
            })),
            OpKind::Unregister => Ask::Forget { bot: bot.clone() },
        };
        self.ask(env, ask, Asked::Claims(bot.clone()), fx);
        Some(op)
    }

    fn may_register(
        &mut self,
        env: &Env<'_>,
        id: &BotId,
        conn: ConnKey,
        registration: &Registration,
    ) -> Result<(), Refusal> {
        if self.routes.names_client(id.as_str()) {
            return Err(ErrorCode::AlreadyRegistered.into());
        }
        let own = self.routes.connection(conn);
        let held = own.map_or(0, |own| own.bots.len());
        let holds = |id: &BotId| own.is_some_and(|own| own.bots.contains(id));
        let claiming = self
            .claims
            .iter()
            .filter(|(id, queue)| queue.outstanding.conn == conn && !holds(id))
            .count();
        let unlisted = self
            .claims
            .keys()
            .filter(|id| self.routes.bot(id).is_none())
            .count();
        let socket_is_full = held + claiming >= self.limits.bots_per_socket as usize;
        let tenant_is_full =
            self.routes.bots().len() + unlisted >= self.limits.bots_per_tenant as usize;
        let limit = self.limits.takeovers_per_minute;
        let Some(bot) = self.routes.bot_mut(id) else {
            let full = socket_is_full || tenant_is_full;
            return if full {
                Err(ErrorCode::QuotaExceeded.into())
            } else {
                Ok(())
            };
        };
        match bot.home {
            Some(home) if home == conn => return Ok(()),
            Some(_) if registration.takeover == Takeover::Reject => {
                return Err(ErrorCode::AlreadyRegistered.into());
            }
            Some(_) if is_same_instance(bot, registration.instance.as_ref()) => {}
            Some(_) => bot
                .flaps
                .check(env.now_ms, limit)
                .map_err(|retry_ms| Refusal {
                    retry_ms: Some(retry_ms),
                    ..Refusal::from(ErrorCode::TakeoverFlapping)
                })?,
            None => {}
        }
        if socket_is_full {
            Err(ErrorCode::QuotaExceeded.into())
        } else {
            Ok(())
        }
    }

    fn may_unregister(&self, env: &Env<'_>, id: &BotId, conn: ConnKey) -> Result<(), Refusal> {
        let Some(bot) = self.routes.bot(id) else {
            return Err(self.unknown(env).into());
        };
        match bot.home {
            Some(home) if home != conn => Err(ErrorCode::NotYourIdentity.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes the store's answer for a bot, then starts what waited for it.
    pub(super) fn claim_answered(
        &mut self,
        env: &Env<'_>,
        bot: &BotId,
        reply: Reply,
        fx: &mut Effects,
    ) {
        let Some(Queue {
            outstanding,
            mut waiting,
        }) = self.claims.remove(bot)
        else {
            return;
        };
        self.finish(env, bot, outstanding, reply, fx);
        while let Some(op) = waiting.pop_front() {
            if let Some(outstanding) = self.start(env, bot, op, fx) {
                self.claims.insert(
                    bot.clone(),
                    Queue {
                        outstanding,
                        waiting,
                    },
                );
                return;
            }
        }
    }

    fn finish(&mut self, env: &Env<'_>, bot: &BotId, op: Op, reply: Reply, fx: &mut Effects) {
        let refusal = match (op.kind, reply) {
            (OpKind::Register(registration), Reply::Claimed { epoch, since_ms }) => {
                let home = Home {
                    conn: op.conn,
                    conn_id: op.conn_id,
                    epoch,
                    since_ms,
                };
                return self.claimed(env, home, op.id, registration, fx);
            }
            (OpKind::Unregister, Reply::Done) => {
                return self.forgotten(env, op.conn, op.id, bot, fx);
            }
            (_, Reply::Refused(code)) => Refusal::from(code),
            (_, Reply::Loaded(_) | Reply::Claimed { .. } | Reply::Done | Reply::Policy(_)) => {
                Refusal::from(ErrorCode::Internal)
            }
        };
        refusal.tell(env, op.conn, op.id.as_ref(), fx);
    }

    /// The store made the claimant the home. One that is gone meanwhile held the bot for no time at
    /// all: the old home lost it nevertheless, as the store has it.
    fn claimed(
        &mut self,
        env: &Env<'_>,
        home: Home,
        id: Option<FrameId>,
        registration: Registration,
        fx: &mut Effects,
    ) {
        self.ver = self.ver.max(home.epoch);
        let bot_id = registration.info.id.clone();
        let claimant = self.routes.connection_mut(home.conn);
        let is_connected = claimant.is_some();
        if let Some(conn) = claimant {
            conn.bots.insert(bot_id.clone());
            conn.watch.unwatch_all();
        }
        let status = if is_connected {
            BotState::Online
        } else {
            BotState::Offline
        };
        let info = BotInfo {
            status,
            since: home.since_ms,
            ..registration.info
        };
        let old_home = self.rehome(env, &home, &info, registration.instance);
        match old_home {
            Some(old) if old != home.conn => self.replaced(env, old, &bot_id, home.epoch, fx),
            Some(_) => {}
            None => fx.push(Effect::Note(Fact::BotOnline)),
        }
        if !is_connected {
            fx.push(Effect::Note(Fact::BotOffline));
            let ask = Ask::Release {
                conn: home.conn_id,
                bots: vec![(bot_id, home.epoch)],
                client: None,
            };
            return self.ask(env, ask, Asked::Release, fx);
        }
        let answer = ServerMessage::BotRegistered(BotRegistered {
            bot: info,
            epoch: home.epoch,
            confirm: registration.confirm.then_some(false),
        });
        self.answer(env, home.conn, id.as_ref(), &answer, fx);
    }

    /// Writes the bot's new home into the routes, and what others see of it into presence. Returns
    /// the old home, if it had one.
    fn rehome(
        &mut self,
        env: &Env<'_>,
        home: &Home,
        info: &BotInfo,
        instance: Option<SmolStr>,
    ) -> Option<ConnKey> {
        let old = self.routes.remove_bot(&info.id);
        check!(
            Invariant::OneHome,
            old.as_ref().is_none_or(|old| old.epoch <= home.epoch),
            "the epoch of {} went back to {}",
            info.id,
            home.epoch
        );
        if !old
            .as_ref()
            .is_some_and(|old| is_told_alike(&old.info, info))
        {
            self.presence.changed(info, env.now_ms);
        }
        let old_home = old.as_ref().and_then(|old| old.home);
        let is_contest = old_home.is_some_and(|old| old != home.conn)
            && !old
                .as_ref()
                .is_some_and(|old| is_same_instance(old, instance.as_ref()));
        let mut flaps = old.map(|old| old.flaps).unwrap_or_default();
        if is_contest {
            flaps.count(env.now_ms);
        }
        self.routes.insert_bot(Bot {
            info: info.clone(),
            home: (info.status == BotState::Online).then_some(home.conn),
            epoch: home.epoch,
            instance,
            flaps,
        });
        old_home
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

    fn forgotten(
        &mut self,
        env: &Env<'_>,
        conn: ConnKey,
        id: Option<FrameId>,
        bot: &BotId,
        fx: &mut Effects,
    ) {
        if let Some(gone) = self.routes.remove_bot(bot) {
            if let Some(home) = gone.home.and_then(|home| self.routes.connection_mut(home)) {
                home.bots.remove(bot);
                fx.push(Effect::Note(Fact::BotOffline));
            }
            let info = BotInfo {
                status: BotState::Offline,
                since: env.now_ms,
                ..gone.info
            };
            self.presence.changed(&info, env.now_ms);
        }
        let told = BotUnregistered {
            bot_id: bot.clone(),
            reason: None,
            epoch: None,
        };
        self.answer(
            env,
            conn,
            id.as_ref(),
            &ServerMessage::BotUnregistered(told),
            fx,
        );
    }

    pub(super) fn answer(
        &self,
        env: &Env<'_>,
        to: ConnKey,
        id: Option<&FrameId>,
        message: &ServerMessage,
        fx: &mut Effects,
    ) {
        fx.deliver(to, encode::server(message, id, env.now_ms), Class::Answer);
    }

    /// What a name is answered that was never seen, or may not be: one code for both.
    pub(super) fn unknown(&self, env: &Env<'_>) -> ErrorCode {
        let in_grace = env.now_ms < env.settings.grace_until_ms;
        if in_grace {
            ErrorCode::BotOffline
        } else {
            ErrorCode::BotNotFound
        }
    }
}

/// A claim that the store accepted.
struct Home {
    conn: ConnKey,
    conn_id: ConnectionId,
    epoch: u64,
    since_ms: Millis,
}

/// A restart of the same process is no contest.
fn is_same_instance(bot: &Bot, instance: Option<&SmolStr>) -> bool {
    instance.is_some() && bot.instance.as_ref() == instance
}

fn is_told_alike(old: &BotInfo, new: &BotInfo) -> bool {
    (&old.name, old.status, old.since) == (&new.name, new.status, new.since)
}
