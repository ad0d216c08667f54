//! What the store answers.

use protocol::ErrorCode;

use super::Tenant;
use super::context::TenantContext;
use super::directory::queries::PendingQuery;
use super::joining::refuse_join;
use super::meter::TenantMeter;
use super::quota::MonthQuota;
use crate::effect::TenantEffects;
use crate::env::Env;
use crate::store::{DirectoryReply, DirectorySnapshot, StoreFailure, StoreReply, StoreResult};

impl Tenant {
    /// The store's answer to a question.
    pub(crate) fn reply(
        &mut self,
        env: &Env<'_>,
        number: u64,
        reply: StoreResult,
        fx: &mut TenantEffects,
    ) {
        if TenantMeter::is_ticket(number) {
            return self.usage_answered(env, number, reply, fx);
        }
        if MonthQuota::is_ticket(number) {
            return self.month_read(env, number, reply, fx);
        }
        let Some(query) = self.directory.answered(number) else {
            return;
        };
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        match (query, reply.and_then(StoreReply::into_directory)) {
            (PendingQuery::Load, Ok(DirectoryReply::Loaded(snapshot))) => {
                self.loaded(env, *snapshot, fx)
            }
            (PendingQuery::Load, Err(StoreFailure::Refused(code))) => {
                self.not_loaded(env, code, fx)
            }
            (PendingQuery::Load, Err(StoreFailure::Lost | StoreFailure::Damaged)) => {
                self.not_loaded(env, ErrorCode::StoreUnavailable, fx);
            }
            (PendingQuery::Load, _) => self.not_loaded(env, ErrorCode::Internal, fx),
            (PendingQuery::Version, Ok(DirectoryReply::Version(ver))) => {
                self.compared(env, Some(ver), fx)
            }
            (PendingQuery::Version, _) => self.compared(env, None, fx),
            (PendingQuery::Enter(conn), reply) => self.entered(env, conn, &reply, fx),
            (PendingQuery::Claim(bot), reply) => {
                self.claim_answered(env, &bot, number, reply, fx);
            }
            (PendingQuery::Release(release), reply) => {
                self.directory.released(&ctx, *release, &reply, fx);
            }
            (PendingQuery::Assert(step), reply) => self.reasserted(env, *step, reply, fx),
            (PendingQuery::ReleaseEvicted, reply) => self.directory.evicted_released(&ctx, &reply),
        }
    }

    fn loaded(&mut self, env: &Env<'_>, snapshot: DirectorySnapshot, fx: &mut TenantEffects) {
        self.replace(env, snapshot, fx);
        self.let_in(env, fx);
        self.linger(env);
    }

    fn not_loaded(&mut self, env: &Env<'_>, code: ErrorCode, fx: &mut TenantEffects) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.directory.not_read(&ctx);
        if self.directory.is_loaded() {
            return;
        }
        for join in self.members.take_waiting() {
            self.count_call(env, &join);
            refuse_join(&join, code.into(), fx);
        }
        // Whoever comes next asks the store again.
        self.over_ms = env.now_ms;
    }

    /// The store's number; absent: it could not say. If it could, it takes what waits in the outbox.
    fn compared(&mut self, env: &Env<'_>, ver: Option<u64>, fx: &mut TenantEffects) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        if self.directory.compared(&ctx, ver, fx) {
            self.release(env, fx);
            self.reassert(env, fx);
        }
    }

    /// Compares the replica with the store soon: the link is back.
    pub(crate) fn compare_soon(&mut self, env: &Env<'_>) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.directory.compare_soon(&ctx);
    }
}
