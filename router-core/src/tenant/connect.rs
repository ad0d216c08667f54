//! Joins and leaves, and the policy that decides who may stay.

use std::collections::BTreeSet;

use protocol::connect::{AuthLimits, AuthOk, Resumed};
use protocol::limits::{LIST_DEFAULT, TOKEN_SHARE};
use protocol::presence::BotState;
use protocol::{Answer, ClientId, CloseCode, ConnectionId, ErrorCode, Name, Refusal};

use super::rates::Payer;
use super::routes::Connection;
use super::subscriptions::Watch;
use super::{Asked, Tenant, refuse_join};
use crate::effect::{Fact, TenantEffect, TenantEffects};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::permit::{Grant, may_see};
use crate::request::{Join, List, Notice};
use crate::small::SmallMap;
use crate::store::{Ask, ConnRecord, Fence, Policy, Reply};

/// A connection that the directory is being told of.
#[derive(Debug)]
struct Newcomer {
    join: Join,
    client: ClientId,
    named: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Entering {
    newcomers: SmallMap<ConnKey, Box<Newcomer>, 0>,
    ids: BTreeSet<ConnectionId>,
    /// How many of each client id are sockets.
    sockets: SmallMap<ClientId, usize, 0>,
}

impl Entering {
    pub fn len(&self) -> usize {
        self.newcomers.len()
    }

    /// Whether it is one.
    pub fn has(&self, id: &ConnectionId) -> bool {
        self.ids.contains(id)
    }

    fn sockets_of(&self, client: &ClientId) -> usize {
        self.sockets.get(client).copied().unwrap_or_default()
    }

    fn insert(&mut self, newcomer: Newcomer) {
        self.ids.insert(newcomer.join.id);
        if newcomer.join.capabilities.lasts {
            *self.sockets.or_default(&newcomer.client) += 1;
        }
        self.newcomers
            .insert(newcomer.join.conn, Box::new(newcomer));
    }

    fn remove(&mut self, key: ConnKey) -> Option<Box<Newcomer>> {
        let newcomer = self.newcomers.remove(&key)?;
        self.ids.remove(&newcomer.join.id);
        if self.ids.is_empty() {
            // An emptied set keeps memory.
            self.ids = BTreeSet::new();
        }
        if newcomer.join.capabilities.lasts
            && let Some(sockets) = self.sockets.get_mut(&newcomer.client)
        {
            *sockets -= 1;
            if *sockets == 0 {
                self.sockets.remove(&newcomer.client);
            }
        }
        Some(newcomer)
    }
}

/// What a gateway of this version can do, as `auth_ok` says it.
const FEATURES: [&str; 2] = ["message", "partial"];

impl Tenant {
    pub(crate) fn join(&mut self, env: &Env<'_>, join: Join, fx: &mut TenantEffects) {
        self.over_ms = None;
        let Some(waiting) = &mut self.loading else {
            return self.enter(env, join, fx);
        };
        if waiting.len() >= self.limits.sockets_per_tenant as usize {
            return refuse_join(&join, ErrorCode::QuotaExceeded.into(), fx);
        }
        waiting.push(join);
        self.read(env, fx);
    }

    pub(super) fn enter(&mut self, env: &Env<'_>, join: Join, fx: &mut TenantEffects) {
        let (client, named) = match self.admit(env, &join) {
            Ok(admitted) => admitted,
            Err(refusal) => return refuse_join(&join, refusal, fx),
        };
        if !env.nodes.shared || !join.capabilities.is_listed() {
            return self.welcome(env, join, client, named, false, fx);
        }
        let key = join.conn;
        if env.nodes.degraded {
            self.welcome(env, join, client, named, false, fx);
            return self.say_again_conn(key);
        }
        // It is greeted when the other nodes are told: else whom it writes to could not answer.
        let conn = join.id;
        let record = ConnRecord {
            boot: env.nodes.own,
            client: client.clone(),
        };
        self.entering.insert(Newcomer {
            join,
            client,
            named,
        });
        self.ask(env, Ask::Enter { conn, record }, Asked::Enter(key), fx);
    }

    /// The directory has the connection, or could not be told yet: then it is told again.
    pub(super) fn entered(
        &mut self,
        env: &Env<'_>,
        key: ConnKey,
        reply: &Reply,
        fx: &mut TenantEffects,
    ) {
        let Some(newcomer) = self.entering.remove(key) else {
            return;
        };
        let Newcomer {
            join,
            client,
            named,
        } = *newcomer;
        if let Reply::Refused(code) = reply
            && *code != ErrorCode::StoreUnavailable
        {
            return refuse_join(&join, (*code).into(), fx);
        }
        let conn = join.id;
        if let Err(code) = self.is_welcome(&join) {
            self.owed.let_go_conn(conn);
            self.pay(env, fx);
            return refuse_join(&join, code.into(), fx);
        }
        self.welcome(env, join, client, named, true, fx);
        if *reply != Reply::Done {
            self.say_again_conn(key);
        }
    }

    /// Whether the policy lets it in.
    fn is_welcome(&self, join: &Join) -> Result<(), ErrorCode> {
        if self.policy.suspended {
            return Err(ErrorCode::TenantSuspended);
        }
        if join.grant.generation != self.policy.generation {
            return Err(ErrorCode::Unauthorized);
        }
        Ok(())
    }

    /// The client id that the connection gets, and whether it named it itself.
    fn admit(&mut self, env: &Env<'_>, join: &Join) -> Result<(ClientId, bool), Refusal> {
        self.is_welcome(join)?;
        let sockets = self.routes.connection_count() + self.entering.len() + join.kept;
        if sockets >= self.limits.sockets_per_tenant as usize {
            return Err(ErrorCode::QuotaExceeded.into());
        }
        let waits_max = self.limits.waits_per_tenant as usize;
        if join.capabilities.awaits_reply() && self.routes.waits() >= waits_max {
            return Err(ErrorCode::QuotaExceeded.into());
        }
        let named = join.grant.client().or(join.client.as_ref()).is_some();
        let client = join.client_id();
        let is_bot = self.routes.names_bot(client.as_str());
        if is_bot || self.claims.contains_key(client.as_str()) {
            return Err(ErrorCode::InvalidId.into());
        }
        self.may_share(join, &client)?;
        let grant = Some(&join.grant);
        let payer = Payer::new(env, &self.limits, &self.routes, grant);
        // A socket's frames have a rate of their own; calls share their tenant's with its messages.
        if join.capabilities.pays_when_it_joins() {
            self.rates.take_unit(payer).map_err(Refusal::rate)?;
        }
        // What the directory is told of costs the store two steps.
        let is_told = env.nodes.shared && join.capabilities.is_listed();
        if is_told || join.capabilities.lasts {
            self.rates.take_join(payer).map_err(Refusal::rate)?;
        }
        Ok((client, named))
    }

    /// Whether another connection may have this client id. Of one that a token names there may be
    /// fewer: whoever has the token must not take all of the tenant's sockets and waits.
    fn may_share(&self, join: &Join, client: &ClientId) -> Result<(), ErrorCode> {
        let is_token = join.grant.client().is_some();
        let (sockets, calls) = self.routes.shared_by(client);
        let is_full = match join.capabilities.lasts {
            true => {
                let by_token = self.limits.sockets_per_token;
                let most = match is_token {
                    true => by_token.min(self.limits.sockets_per_client),
                    false => self.limits.sockets_per_client,
                };
                sockets + self.entering.sockets_of(client) >= most as usize
            }
            false => {
                let most = (self.limits.waits_per_tenant / TOKEN_SHARE).max(1);
                is_token && calls >= most as usize
            }
        };
        match is_full {
            true => Err(ErrorCode::QuotaExceeded),
            false => Ok(()),
        }
    }

    fn welcome(
        &mut self,
        env: &Env<'_>,
        join: Join,
        client: ClientId,
        named: bool,
        told: bool,
        fx: &mut TenantEffects,
    ) {
        let (conn, capabilities) = (join.conn, join.capabilities);
        if capabilities.greeting {
            self.greet(env, &join, &client, fx);
        }
        let watch = match capabilities.presence {
            true => Watch::all(&self.presence),
            false => Watch::default(),
        };
        let grant = Grant {
            tenant: self.id.clone(),
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
            awaits: None,
            sent: false,
            told,
        };
        self.routes.insert(conn, connection);
        self.bound_clients();
        fx.push(TenantEffect::Note(Fact::Authenticated));
        fx.push(TenantEffect::Tell {
            conn,
            notice: Notice::Joined {
                client,
                tenant: self.id.clone(),
            },
        });
    }

    /// Tells a socket that it is in, and which bots there are.
    fn greet(&self, env: &Env<'_>, join: &Join, client: &ClientId, fx: &mut TenantEffects) {
        let visible = self
            .routes
            .bots()
            .filter(|bot| may_see(&join.grant, &bot.about.info.id))
            .count();
        let resumed = join.resume.then(|| Resumed {
            recovered: false,
            reason: Some(ErrorCode::NotSupported.reason().to_owned()),
        });
        let auth_ok = AuthOk {
            user_id: self.id.clone(),
            session_id: join.id,
            connection_id: join.id,
            client_id: client.clone(),
            bot_count: u32::try_from(visible).unwrap_or(u32::MAX),
            heartbeat_ms: env.settings.heartbeat_ms,
            features: FEATURES.map(str::to_owned).to_vec(),
            limits: AuthLimits {
                frame_bytes: self.limits.frame_bytes,
                messages_per_second: self.limits.messages_per_second,
            },
            resume: resumed,
        };
        let first = List {
            limit: LIST_DEFAULT as usize,
            after: None,
            request_id: None,
        };
        let (bots, _) = self.page(&join.grant, first);
        fx.answer(join.conn, join.request_id.as_ref(), Answer::AuthOk(auth_ok));
        fx.answer(join.conn, None, Answer::Bots(bots));
    }

    pub(crate) fn leave(&mut self, env: &Env<'_>, key: ConnKey, fx: &mut TenantEffects) {
        if let Some(waiting) = &mut self.loading {
            waiting.retain(|join| join.conn != key);
        }
        if let Some(gone) = self.entering.remove(key) {
            self.owed.let_go_conn(gone.join.id);
        }
        if let Some((conn, was_last)) = self.routes.remove(key, env.unix_ms) {
            self.presence.forget(key, &conn.watch);
            for id in conn.bots {
                let Some(bot) = self.routes.bot_mut(&id) else {
                    continue;
                };
                bot.home = None;
                bot.about.info.status = BotState::Offline;
                bot.about.info.since = env.unix_ms;
                let fence = Fence {
                    conn: conn.id,
                    epoch: bot.about.epoch,
                };
                self.presence.changed(&bot.about.info, env.now_ms);
                self.owed.let_go_bot(id, fence);
                fx.push(TenantEffect::Note(Fact::BotOffline));
            }
            self.owed.forget_conn(key);
            // Without a store that others read, only the client's name is worth keeping. A call
            // leaves no trace in the store: every single one would be a write.
            if conn.told {
                self.owed.let_go_conn(conn.id);
            }
            let is_known = conn.told || !env.nodes.shared;
            if was_last && is_known && conn.capabilities.lasts {
                self.owed.see(conn.client);
            }
        }
        self.bound_clients();
        self.pay(env, fx);
        self.linger(env);
    }

    /// Forgets clients beyond `clients_per_tenant`.
    pub(super) fn bound_clients(&mut self) {
        let most = self.limits.clients_per_tenant as usize;
        self.routes.bound_clients(most);
    }

    /// Takes a new policy and ends the sockets that it no longer allows.
    pub(crate) fn policy(&mut self, env: &Env<'_>, policy: Policy, fx: &mut TenantEffects) {
        let (file_generation, file_suspended) = env.settings.policy_of(&self.id);
        self.ordered = true;
        let known = self.policy.generation.max(file_generation);
        self.policy = Policy {
            generation: policy.generation.max(known),
            suspended: policy.suspended || file_suspended,
        };
        self.expel_strangers(env, fx);
    }

    /// Takes the policy of a snapshot. An operator's order that came before counts more.
    pub(super) fn take_policy(&mut self, env: &Env<'_>, policy: Policy) {
        let (_, file_suspended) = env.settings.policy_of(&self.id);
        if env.nodes.shared && policy.generation < self.policy.generation {
            self.say_again_generation();
        }
        self.policy.generation = self.policy.generation.max(policy.generation);
        if !self.ordered {
            self.policy.suspended = policy.suspended || file_suspended;
        }
    }

    /// Ends the sockets that the policy does not allow.
    pub(super) fn expel_strangers(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let Policy {
            generation,
            suspended,
        } = self.policy;
        let expelled: Vec<(ConnKey, CloseCode)> = self
            .routes
            .connections()
            .filter_map(
                |(key, conn)| match (suspended, conn.grant.generation < generation) {
                    (true, _) => Some((key, CloseCode::Suspended)),
                    (false, true) => Some((key, CloseCode::Unauthorized)),
                    (false, false) => None,
                },
            )
            .collect();
        for (conn, close) in expelled {
            self.leave(env, conn, fx);
            fx.push(TenantEffect::Close { conn, close });
        }
    }

    /// Whether a connection may speak in a name: its own client id, or a bot it holds.
    pub(super) fn speaks_as(&self, conn: &Connection, from: &Name) -> bool {
        conn.client.as_str() == from.as_str() || conn.bots.contains(from.as_str())
    }
}
