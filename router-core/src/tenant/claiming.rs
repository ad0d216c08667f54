//! Makes a connection the home of a bot, one store request a bot at a time.
//!
//! ```text
//! register ─▶ checks ─▶ Ask(Claim) ─▶ Claimed ─▶ the old home is told, the new one answered
//!    │           └─ refused                          └─ the claimant is gone: Ask(Release)
//!    └─ another claim of this bot is outstanding: wait (at most 64)
//! ```

use std::collections::VecDeque;

use protocol::presence::{BotInfo, BotState, Takeover};
use protocol::{BotId, ErrorCode, FrameId, Refusal};

use super::Tenant;
use super::bots::claims::{ClaimKind, ClaimPlace, ClaimQueue, ClaimStep};
use super::context::TenantContext;
use super::directory::queries::PendingQuery;
use crate::effect::TenantEffects;
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::request::BotRegistration;
use crate::store::{
    BotClaim, BotHolder, BotRecord, DirectoryQuery, DirectoryReply, Fence, StoreFailure,
    StoreResult,
};

impl Tenant {
    /// A connection wants something of a bot.
    pub(super) fn claim(
        &mut self,
        env: &Env<'_>,
        bot: BotId,
        (conn, id): (ConnKey, Option<FrameId>),
        kind: ClaimKind,
        fx: &mut TenantEffects,
    ) {
        let Some(connection) = self.members.connection(conn) else {
            return;
        };
        let step = ClaimStep {
            conn,
            conn_id: connection.id,
            id,
            kind,
        };
        match self.bots.claims_mut().enqueue(&bot, step) {
            ClaimPlace::First(step) => self.start_claim(env, &bot, step, VecDeque::new(), fx),
            ClaimPlace::Queued => {}
            ClaimPlace::Full(step) => {
                let refusal = Refusal::from(ErrorCode::StoreUnavailable);
                fx.refuse_claim((step.conn, &bot), step.id.as_ref(), refusal);
            }
        }
    }

    /// Starts a step, or else the first of those that wait behind it that is not refused.
    fn start_claim(
        &mut self,
        env: &Env<'_>,
        bot: &BotId,
        first: ClaimStep,
        mut waiting: VecDeque<ClaimStep>,
        fx: &mut TenantEffects,
    ) {
        let mut next = Some(first);
        while let Some(step) = next {
            if let Some(number) = self.start(env, bot, &step, fx) {
                let known_ver = self.directory.known_ver();
                let queue = ClaimQueue::new(number, known_ver, step, waiting);
                return self.bots.claims_mut().insert(bot.clone(), queue);
            }
            next = waiting.pop_front();
        }
    }

    /// Asks the store, or refuses; returns the question's number if it is outstanding now.
    fn start(
        &mut self,
        env: &Env<'_>,
        bot: &BotId,
        step: &ClaimStep,
        fx: &mut TenantEffects,
    ) -> Option<u64> {
        self.members.connection(step.conn)?;
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        let allowed = match &step.kind {
            // Nobody can be fenced now, and nobody else be told.
            ClaimKind::Register(_) | ClaimKind::Unregister if env.nodes.degraded => {
                Err(ErrorCode::StoreUnavailable.into())
            }
            ClaimKind::Register(registration) => {
                let members = &self.members;
                self.bots
                    .may_register(&ctx, members, bot, step.conn, registration)
            }
            ClaimKind::Reclaim(_) => Ok(()),
            ClaimKind::Unregister => self.bots.may_unregister(&ctx, bot, step.conn),
        };
        if let Err(refusal) = allowed {
            fx.refuse_claim((step.conn, bot), step.id.as_ref(), refusal);
            return None;
        }
        let query = self.query_of(env, bot, step);
        Some(self.ask(env, query, PendingQuery::Claim(bot.clone()), fx))
    }

    /// What the store is asked.
    fn query_of(&self, env: &Env<'_>, bot: &BotId, step: &ClaimStep) -> DirectoryQuery {
        match &step.kind {
            ClaimKind::Register(registration) | ClaimKind::Reclaim(registration) => {
                DirectoryQuery::Claim(Box::new(BotClaim {
                    holder: BotHolder {
                        boot: env.nodes.own,
                        conn: step.conn_id,
                    },
                    bot: registration.info.clone(),
                    instance: registration.instance.clone(),
                    takeover: registration.takeover,
                    dead: env.nodes.dead.clone(),
                }))
            }
            ClaimKind::Unregister => {
                let known = self.bots.get(bot.as_str());
                let held = known.filter(|bot| bot.here() == Some(step.conn));
                let fence = held.map(|held| Fence {
                    conn: step.conn_id,
                    epoch: held.details.epoch,
                });
                let bot = bot.clone();
                DirectoryQuery::Forget { bot, fence }
            }
        }
    }

    /// Makes a connection that holds a bot its home again, under a new epoch: the store has no
    /// holder for it.
    pub(super) fn reclaim(
        &mut self,
        env: &Env<'_>,
        conn: ConnKey,
        id: BotId,
        fx: &mut TenantEffects,
    ) {
        if self.bots.claims().contains(id.as_str()) {
            // If nothing comes of that, the next comparison tells the store of this home.
            return self.directory.outbox_mut().reassert_bot(id);
        }
        let Some(bot) = self.bots.get(id.as_str()) else {
            return;
        };
        let registration = BotRegistration {
            info: bot.details.info.clone(),
            // Whoever registered it meanwhile keeps it.
            takeover: Takeover::Reject,
            instance: bot.details.instance.clone(),
            confirm: false,
        };
        let kind = ClaimKind::Reclaim(registration);
        self.claim(env, id, (conn, None), kind, fx);
    }

    /// Takes the store's answer for a bot, then starts what waited for it. An answer whose event
    /// came first finds another number here, or nothing.
    pub(super) fn claim_answered(
        &mut self,
        env: &Env<'_>,
        bot: &BotId,
        number: u64,
        reply: StoreResult<DirectoryReply>,
        fx: &mut TenantEffects,
    ) {
        let Some(queue) = self.bots.claims_mut().take(bot, number) else {
            return;
        };
        let ClaimQueue {
            outstanding,
            mut waiting,
            is_listed,
            ..
        } = queue;
        if is_listed && !matches!(reply, Ok(DirectoryReply::Claimed { .. })) {
            // Then what the directory has of it must go.
            self.read(env, fx);
        }
        if let Ok(DirectoryReply::Newer(epoch)) = reply {
            // Somebody was quicker: it is asked again, knowing that, if it still may.
            self.directory.saw(epoch);
            waiting.push_front(outstanding);
        } else {
            self.finish_claim(env, bot, outstanding, reply, fx);
        }
        if let Some(first) = waiting.pop_front() {
            self.start_claim(env, bot, first, waiting, fx);
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
        let Some(number) = self.bots.claims().answered_by(record) else {
            return false;
        };
        let reply = DirectoryReply::Claimed {
            epoch: record.epoch,
            since_ms: record.info.since,
        };
        self.claim_answered(env, &record.info.id, number, Ok(reply), fx);
        true
    }

    fn finish_claim(
        &mut self,
        env: &Env<'_>,
        bot: &BotId,
        step: ClaimStep,
        reply: StoreResult<DirectoryReply>,
        fx: &mut TenantEffects,
    ) {
        let is_asked = !matches!(step.kind, ClaimKind::Reclaim(_));
        let code = match (step.kind, reply) {
            (
                ClaimKind::Register(registration) | ClaimKind::Reclaim(registration),
                Ok(DirectoryReply::Claimed { epoch, since_ms }),
            ) => {
                let asked = is_asked.then_some(step.id);
                let registration = online(registration, since_ms);
                let fence = Fence {
                    conn: step.conn_id,
                    epoch,
                };
                return self.claimed(env, (step.conn, fence), asked, registration, fx);
            }
            (ClaimKind::Unregister, Ok(DirectoryReply::Done)) => {
                return self.unregistered(env, (step.conn, step.id), bot, fx);
            }
            (ClaimKind::Reclaim(_), Err(StoreFailure::Refused(ErrorCode::AlreadyRegistered))) => {
                return self.read(env, fx);
            }
            (ClaimKind::Reclaim(_), _) => {
                return self.directory.outbox_mut().reassert_bot(bot.clone());
            }
            (_, Err(StoreFailure::Refused(code))) => code,
            // It may have been done: what the directory says of this node then is released again.
            (_, Err(StoreFailure::Lost | StoreFailure::Damaged)) => ErrorCode::StoreUnavailable,
            (
                _,
                Ok(
                    DirectoryReply::Loaded(_)
                    | DirectoryReply::Version(_)
                    | DirectoryReply::Asserted(_)
                    | DirectoryReply::Claimed { .. }
                    | DirectoryReply::Newer(_)
                    | DirectoryReply::Done,
                ),
            ) => ErrorCode::Internal,
        };
        fx.refuse_claim((step.conn, bot), step.id.as_ref(), Refusal::from(code));
    }
}

/// What is registered, as others see it from now on.
fn online(registration: BotRegistration, since_ms: Millis) -> BotRegistration {
    BotRegistration {
        info: BotInfo {
            status: BotState::Online,
            since: since_ms,
            ..registration.info
        },
        ..registration
    }
}
