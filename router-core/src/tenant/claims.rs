//! Makes a connection the home of a bot, one store request a bot at a time.
//!
//! ```text
//! register ─▶ checks ─▶ Ask(Claim) ─▶ Claimed ─▶ the old home is told, the new one answered
//!    │           └─ refused                          └─ the claimant is gone: Ask(Release)
//!    └─ another claim of this bot is outstanding: wait (at most 64)
//! ```

use std::collections::VecDeque;

use protocol::limits::CLAIMS_WAITING_MAX;
use protocol::presence::Takeover;
use protocol::{BotId, ConnectionId, ErrorCode, FrameId, Refusal};

use super::homes::Claimed;
use super::routes::Bot;
use super::{Asked, Tenant};
use crate::check;
use crate::effect::TenantEffects;
use crate::env::Env;
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::request::Registration;
use crate::store::{Ask, BotRecord, Claim, Fence, Holder, Reply};

/// What is being done about one bot.
#[derive(Debug)]
pub(super) struct Queue {
    /// The question whose answer is awaited.
    number: u64,
    /// The highest step of the directory that was known then: an answer is above it.
    known_ver: u64,
    /// Whether the directory has an earlier claim of the same connection.
    is_listed: bool,
    outstanding: Op,
    waiting: VecDeque<Op>,
}

impl Queue {
    /// Whether what is outstanding was asked by this connection.
    pub fn is_of(&self, conn: ConnKey) -> bool {
        self.outstanding.conn == conn
    }
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
    /// The same without being asked: the store lost the claim.
    ClaimAnew(Registration),
    Unregister,
}

impl Tenant {
    pub(super) fn register(
        &mut self,
        env: &Env<'_>,
        conn: ConnKey,
        id: Option<FrameId>,
        registration: Registration,
        fx: &mut TenantEffects,
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
        fx: &mut TenantEffects,
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
        fx: &mut TenantEffects,
    ) {
        let Some(connection) = self.routes.connection(conn) else {
            return;
        };
        let op = Op {
            conn,
            conn_id: connection.id,
            id,
            kind,
        };
        match self.claims.get_mut(&bot) {
            None => {
                if let Some((number, outstanding)) = self.start(env, &bot, op, fx) {
                    let queue = Queue {
                        number,
                        known_ver: self.directory.known_ver,
                        is_listed: false,
                        outstanding,
                        waiting: VecDeque::new(),
                    };
                    self.claims.insert(bot, Box::new(queue));
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
                fx.refuse(op.conn, op.id.as_ref(), refusal);
            }
        }
    }

    /// Asks the store, or refuses; returns the operation and its number if it is outstanding now.
    fn start(
        &mut self,
        env: &Env<'_>,
        bot: &BotId,
        op: Op,
        fx: &mut TenantEffects,
    ) -> Option<(u64, Op)> {
        self.routes.connection(op.conn)?;
        let verdict = match &op.kind {
            // Nobody can be fenced now, and nobody else be told.
            OpKind::Register(_) | OpKind::Unregister if env.nodes.degraded => {
                Err(ErrorCode::StoreUnavailable.into())
            }
            OpKind::Register(registration) => self.may_register(env, bot, op.conn, registration),
            OpKind::ClaimAnew(_) => Ok(()),
            OpKind::Unregister => self.may_unregister(env, bot, op.conn),
        };
        if let Err(refusal) = verdict {
            fx.refuse(op.conn, op.id.as_ref(), refusal);
            return None;
        }
        let holder = Holder {
            boot: env.nodes.own,
            conn: op.conn_id,
        };
        let ask = match &op.kind {
            OpKind::Register(registration) | OpKind::ClaimAnew(registration) => {
                Ask::Claim(Box::new(Claim {
                    holder,
                    bot: registration.info.clone(),
                    instance: registration.instance.clone(),
                    takeover: registration.takeover,
                    dead: env.nodes.dead.clone(),
                }))
            }
            OpKind::Unregister => {
                let known = self.routes.bot(bot);
                let held = known.filter(|bot| bot.here() == Some(op.conn));
                let fence = held.map(|held| Fence {
                    conn: op.conn_id,
                    epoch: held.about.epoch,
                });
                let bot = bot.clone();
                Ask::Forget { bot, fence }
            }
        };
        let number = self.ask(env, ask, Asked::Claims(bot.clone()), fx);
        Some((number, op))
    }

    /// Makes a connection that holds a bot its home again, under a new epoch: the store has no
    /// holder for it.
    pub(super) fn claim_anew(
        &mut self,
        env: &Env<'_>,
        conn: ConnKey,
        id: BotId,
        fx: &mut TenantEffects,
    ) {
        if self.claims.contains_key(&id) {
            // If nothing comes of that, the next comparison tells the store of this home.
            return self.say_again_bot(id);
        }
        let Some(bot) = self.routes.bot(&id) else {
            return;
        };
        let registration = Registration {
            info: bot.about.info.clone(),
            // Whoever registered it meanwhile keeps it.
            takeover: Takeover::Reject,
            instance: bot.about.instance.clone(),
            confirm: false,
        };
        self.queue(env, id, conn, None, OpKind::ClaimAnew(registration), fx);
    }

    /// Takes the store's answer for a bot, then starts what waited for it. An answer whose event
    /// came first finds another number here, or nothing.
    pub(super) fn claim_answered(
        &mut self,
        env: &Env<'_>,
        bot: &BotId,
        number: u64,
        reply: Reply,
        fx: &mut TenantEffects,
    ) {
        let Some(queue) = self.claims.remove(bot) else {
            return;
        };
        if queue.number != number {
            self.claims.insert(bot.clone(), queue);
            return;
        }
        let Queue {
            outstanding,
            mut waiting,
            is_listed,
            ..
        } = *queue;
        if is_listed && !matches!(reply, Reply::Claimed { .. }) {
            // Then what the directory has of it must go.
            self.read(env, fx);
        }
        if let Reply::Newer(epoch) = reply {
            // Somebody was quicker: it is asked again, knowing that, if it still may.
            self.directory.saw(epoch);
            waiting.push_front(outstanding);
        } else {
            self.finish(env, bot, outstanding, reply, fx);
        }
        while let Some(op) = waiting.pop_front() {
            if let Some((number, outstanding)) = self.start(env, bot, op, fx) {
                let queue = Queue {
                    number,
                    known_ver: self.directory.known_ver,
                    is_listed: false,
                    outstanding,
                    waiting,
                };
                self.claims.insert(bot.clone(), Box::new(queue));
                return;
            }
        }
    }

    /// The directory says that a connection of this node is a bot's home. Whether it asked for
    /// that, and the event is only faster than the reply.
    pub(super) fn claim_came_true(
        &mut self,
        env: &Env<'_>,
        record: &BotRecord,
        fx: &mut TenantEffects,
    ) -> bool {
        let bot = &record.info.id;
        let queue = self.claims.get(bot);
        // An event that is late may tell of an earlier claim of the same connection.
        let Some(queue) = queue.filter(|queue| record.epoch > queue.known_ver) else {
            return false;
        };
        let Queue {
            number,
            outstanding,
            ..
        } = &**queue;
        let is_claim = match &outstanding.kind {
            OpKind::Register(_) | OpKind::ClaimAnew(_) => true,
            OpKind::Unregister => false,
        };
        let conn = record.holder.as_ref().map(|holder| &holder.conn);
        if !is_claim || conn != Some(&outstanding.conn_id) {
            return false;
        }
        let reply = Reply::Claimed {
            epoch: record.epoch,
            since_ms: record.info.since,
        };
        self.claim_answered(env, bot, *number, reply, fx);
        true
    }

    /// The directory has an earlier claim of a connection that claims again: the answer decides.
    pub(super) fn is_claimed_again(&mut self, record: &BotRecord) -> bool {
        let Some(queue) = self.claims.get_mut(&record.info.id) else {
            return false;
        };
        let conn = record.holder.as_ref().map(|holder| &holder.conn);
        let is_claim = !matches!(queue.outstanding.kind, OpKind::Unregister);
        let is_again = is_claim && conn == Some(&queue.outstanding.conn_id);
        queue.is_listed |= is_again;
        is_again
    }

    /// The directory says that with step `ver` a bot is off the list. Its home asked for that, and
    /// the event is only faster than the reply; or the reply was lost, and the home must be told. Or
    /// the event is late, and the bot was claimed again since.
    pub(super) fn told_forgotten(
        &mut self,
        env: &Env<'_>,
        bot: &BotId,
        ver: u64,
        fx: &mut TenantEffects,
    ) {
        let known = self.routes.bot(bot);
        if known.is_some_and(|known| known.about.epoch > ver) {
            return;
        }
        let here = known.and_then(Bot::here);
        let queue = self.claims.get(bot);
        let asked = queue.filter(|queue| {
            let is_unregister = matches!(queue.outstanding.kind, OpKind::Unregister);
            is_unregister && Some(queue.outstanding.conn) == here
        });
        if let Some(number) = asked.map(|queue| queue.number) {
            return self.claim_answered(env, bot, number, Reply::Done, fx);
        }
        match here {
            Some(conn) => self.forgotten(env, conn, None, bot, fx),
            None => self.apply_forgotten(env, bot, fx),
        }
    }

    fn finish(&mut self, env: &Env<'_>, bot: &BotId, op: Op, reply: Reply, fx: &mut TenantEffects) {
        let is_asked = !matches!(op.kind, OpKind::ClaimAnew(_));
        let code = match (op.kind, reply) {
            (
                OpKind::Register(registration) | OpKind::ClaimAnew(registration),
                Reply::Claimed { epoch, since_ms },
            ) => {
                let claimed = Claimed {
                    conn: op.conn,
                    conn_id: op.conn_id,
                    epoch,
                    since_ms,
                };
                let asked = is_asked.then_some(op.id);
                return self.claimed(env, claimed, asked, registration, fx);
            }
            (OpKind::Unregister, Reply::Done) => {
                return self.forgotten(env, op.conn, op.id, bot, fx);
            }
            (OpKind::ClaimAnew(_), Reply::Refused(ErrorCode::AlreadyRegistered)) => {
                return self.read(env, fx);
            }
            (OpKind::ClaimAnew(_), _) => return self.say_again_bot(bot.clone()),
            (_, Reply::Refused(code)) => code,
            // It may have been done: what the directory says of this node then is let go again.
            (_, Reply::Lost) => ErrorCode::StoreUnavailable,
            (
                _,
                Reply::Loaded(_)
                | Reply::Version(_)
                | Reply::Asserted(_)
                | Reply::Claimed { .. }
                | Reply::Newer(_)
                | Reply::Done
                | Reply::Policy(_),
            ) => ErrorCode::Internal,
        };
        fx.refuse(op.conn, op.id.as_ref(), Refusal::from(code));
    }
}
