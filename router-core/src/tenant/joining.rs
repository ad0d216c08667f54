//! How a connection joins its tenant.
//!
//! ```text
//!  join ─▶ the directory is loaded, and    ─▶ enter ─▶ admitted ─▶ Ask(Enter) ─▶ welcome: greeting, Joined
//!    │     the month's use of allowances                └─ refused          └─ nobody need know, or can be told now
//!    └─ they are not: waits
//! ```

use std::sync::Arc;

use protocol::connect::{AuthLimits, AuthOk, Resumed};
use protocol::limits::LIST_DEFAULT;
use protocol::{Answer, ClientId, ErrorCode, Refusal, UsageMeter};

use super::Tenant;
use super::context::TenantContext;
use super::directory::queries::PendingQuery;
use super::members::connection::Connection;
use super::members::newcomers::NewConnection;
use super::members::survey::as_count;
use super::presence::watch::BotWatch;
use super::quota::{MonthQuota, QuotaUse};
use crate::effect::{RouterFact, TenantEffect, TenantEffects};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::permit::Grant;
use crate::request::{JoinRequest, ListRequest, SessionNotice};
use crate::store::{ConnRecord, DirectoryQuery, DirectoryReply, StoreFailure, StoreResult};

/// What a gateway of this version can do, as `auth_ok` says it.
const FEATURES: [&str; 2] = ["message", "partial"];

impl Tenant {
    pub(crate) fn join(&mut self, env: &Env<'_>, join: JoinRequest, fx: &mut TenantEffects) {
        self.over_ms = Millis::MAX;
        if self.is_ready(env) {
            return self.enter(env, join, fx);
        }
        if !self.members.may_wait(&self.limits) {
            self.count_call(env, &join);
            return refuse_join(&join, ErrorCode::QuotaExceeded.into(), fx);
        }
        self.members.wait_for_load(join);
        if !self.directory.is_loaded() {
            self.read(env, fx);
        }
    }

    /// Whether it is known who is here, and what is used of the allowances.
    fn is_ready(&self, env: &Env<'_>) -> bool {
        let is_known = |quota: &MonthQuota| quota.is_known() || env.nodes.degraded;
        self.directory.is_loaded() && self.quota.as_deref().is_none_or(is_known)
    }

    /// Lets those enter that waited, if enough is known.
    pub(super) fn let_in(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        if self.is_ready(env) {
            for join in self.members.take_waiting() {
                self.enter(env, join, fx);
            }
        }
    }

    /// Counts a call of the HTTP API, whatever its answer is.
    pub(super) fn count_call(&mut self, env: &Env<'_>, join: &JoinRequest) {
        if !join.capabilities.lasts {
            self.meter.counts(env)[UsageMeter::HttpRequests] += 1;
        }
    }

    fn enter(&mut self, env: &Env<'_>, join: JoinRequest, fx: &mut TenantEffects) {
        let asked = match join.capabilities.lasts {
            true => QuotaUse::ClientSocket,
            false => QuotaUse::Calling,
        };
        // What is used before this one.
        let spent = self.spent(env, asked);
        // A request with a revoked key is not charged to the tenant.
        if join.grant.generation == self.members.key_generation() {
            self.count_call(env, &join);
        }
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        let newcomer = NewConnection::new(join);
        let is_bot = self.bots.reserves(newcomer.client.as_str());
        let name = (&newcomer.client, is_bot);
        if let Err(refusal) = self.members.admit(&ctx, &newcomer.join, name) {
            return refuse_join(&newcomer.join, refusal, fx);
        }
        if let Some(spent) = spent {
            return refuse_join(&newcomer.join, Refusal::quota(spent), fx);
        }
        if !env.nodes.shared || !newcomer.join.capabilities.is_listed() {
            return self.welcome(env, newcomer, false, fx);
        }
        let key = newcomer.join.conn;
        if env.nodes.degraded {
            self.welcome(env, newcomer, false, fx);
            return self.directory.outbox_mut().reassert_conn(key);
        }
        // It is greeted when the other nodes are told: else whom it writes to could not answer.
        let conn = newcomer.join.id;
        let record = ConnRecord {
            boot: env.nodes.own,
            client: newcomer.client.clone(),
        };
        self.members.insert_newcomer(newcomer);
        let query = PendingQuery::Enter(key);
        self.ask(env, DirectoryQuery::Enter { conn, record }, query, fx);
    }

    /// The directory has the connection, or could not be told yet: then it is told again.
    pub(super) fn entered(
        &mut self,
        env: &Env<'_>,
        key: ConnKey,
        reply: &StoreResult<DirectoryReply>,
        fx: &mut TenantEffects,
    ) {
        let Some(newcomer) = self.members.remove_newcomer(key) else {
            return;
        };
        if let Err(StoreFailure::Refused(code)) = reply
            && *code != ErrorCode::StoreUnavailable
        {
            return refuse_join(&newcomer.join, (*code).into(), fx);
        }
        if let Err(code) = self.members.is_welcome(&newcomer.join) {
            self.directory.outbox_mut().release_conn(newcomer.join.id);
            self.release(env, fx);
            return refuse_join(&newcomer.join, code.into(), fx);
        }
        self.welcome(env, newcomer, true, fx);
        if *reply != Ok(DirectoryReply::Done) {
            self.directory.outbox_mut().reassert_conn(key);
        }
    }

    fn welcome(
        &mut self,
        env: &Env<'_>,
        newcomer: NewConnection,
        told: bool,
        fx: &mut TenantEffects,
    ) {
        let NewConnection {
            join,
            client,
            named,
        } = newcomer;
        let (conn, capabilities) = (join.conn, join.capabilities);
        if capabilities.greeting {
            self.greet(env, &join, &client, fx);
        }
        if join.grant.client().is_none() {
            self.tell_reached(env, conn, fx);
        }
        let watch = match capabilities.presence {
            true => self.presence.watch_all(),
            false => BotWatch::default(),
        };
        let grant = Grant {
            tenant: self.id().clone(),
            ..join.grant
        };
        let connection = Connection {
            id: join.id,
            grant,
            client: client.clone(),
            named,
            acks: join.acks,
            bots: Default::default(),
            watch,
            capabilities,
            reply: None,
            sent: false,
            told,
        };
        self.members.insert(conn, connection);
        self.bound_clients();
        fx.push(TenantEffect::Note(RouterFact::Authenticated));
        let tenant = self.id().clone();
        let limits = Arc::clone(&self.limits);
        let notice = SessionNotice::Joined {
            client,
            tenant,
            limits,
        };
        fx.push(TenantEffect::Tell { conn, notice });
    }

    /// Tells a connection that it is in, and which bots there are.
    fn greet(&self, env: &Env<'_>, join: &JoinRequest, client: &ClientId, fx: &mut TenantEffects) {
        let resumed = join.resume.then(|| Resumed {
            recovered: false,
            reason: Some(ErrorCode::NotSupported.reason().to_owned()),
        });
        let auth_ok = AuthOk {
            user_id: self.id().clone(),
            session_id: join.id,
            connection_id: join.id,
            client_id: client.clone(),
            bot_count: as_count(self.bots.count_visible(&join.grant)),
            heartbeat_ms: env.settings.heartbeat_ms,
            features: FEATURES.map(str::to_owned).to_vec(),
            limits: AuthLimits {
                frame_bytes: self.limits.frame_bytes,
                messages_per_second: self.limits.messages_per_second,
            },
            resume: resumed,
        };
        let first = ListRequest {
            limit: LIST_DEFAULT as usize,
            after: None,
            request_id: None,
        };
        let (bots, _) = self.bots.page(&join.grant, first);
        fx.answer(join.conn, join.request_id.as_ref(), Answer::AuthOk(auth_ok));
        fx.answer(join.conn, None, Answer::Bots(bots));
    }
}

/// Tells a session that its tenant does not let it in.
pub(super) fn refuse_join(join: &JoinRequest, refusal: Refusal, fx: &mut TenantEffects) {
    let notice = SessionNotice::Refused(Box::new(refusal));
    fx.push(TenantEffect::Tell {
        conn: join.conn,
        notice,
    });
}
