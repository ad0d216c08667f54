//! Who may join, and who may stay.

use protocol::limits::TOKEN_SHARE;
use protocol::{ClientId, CloseCode, ErrorCode, Limits, Refusal};

use super::Members;
use super::connection::Connection;
use super::newcomers::NewConnection;
use super::rates::RatePayer;
use crate::env::Env;
use crate::ids::ConnKey;
use crate::request::JoinRequest;
use crate::store::{AssignedTerms, TenantPolicy};
use crate::tenant::context::TenantContext;

impl Members {
    /// The key generation that a credential must have.
    pub fn key_generation(&self) -> u64 {
        self.policy.generation
    }

    /// Whether no connection may join.
    pub fn is_suspended(&self) -> bool {
        self.policy.suspended
    }

    /// Takes what an operator ordered.
    pub fn take_order(&mut self, ctx: &TenantContext<'_>, policy: TenantPolicy) {
        let (file_generation, file_suspended) = ctx.env.settings.policy_of(ctx.id);
        let known = self.policy.generation.max(file_generation);
        self.stored_suspended = policy.suspended;
        self.policy = TenantPolicy {
            generation: policy.generation.max(known),
            suspended: policy.suspended || file_suspended,
            assigned: policy.assigned,
        };
    }

    /// What an operator assigned to the tenant.
    pub fn assigned(&self) -> Option<&AssignedTerms> {
        self.policy.assigned.as_deref()
    }

    /// Takes the policy of a snapshot. `is_outdated`: an operator's order came after it was asked for,
    /// and decides who is suspended, and what is assigned.
    pub fn take_stored_policy(
        &mut self,
        ctx: &TenantContext<'_>,
        policy: TenantPolicy,
        is_outdated: bool,
    ) {
        let (_, file_suspended) = ctx.env.settings.policy_of(ctx.id);
        self.policy.generation = self.policy.generation.max(policy.generation);
        if !is_outdated {
            self.stored_suspended = policy.suspended;
            self.policy.suspended = policy.suspended || file_suspended;
            self.policy.assigned = policy.assigned;
        }
    }

    /// Takes what a changed configuration file says. A key generation never falls.
    pub fn take_file_policy(&mut self, ctx: &TenantContext<'_>) {
        let (file_generation, file_suspended) = ctx.env.settings.policy_of(ctx.id);
        self.policy.generation = self.policy.generation.max(file_generation);
        self.policy.suspended = self.stored_suspended || file_suspended;
    }

    /// The connections that the policy does not allow, and with which code they are closed.
    pub fn strangers(&self) -> Vec<(ConnKey, CloseCode)> {
        let TenantPolicy {
            generation,
            suspended,
            ..
        } = self.policy;
        let close = |(key, conn): (ConnKey, &Connection)| match (
            suspended,
            conn.grant.generation < generation,
        ) {
            (true, _) => Some((key, CloseCode::Suspended)),
            (false, true) => Some((key, CloseCode::Unauthorized)),
            (false, false) => None,
        };
        self.connections().filter_map(close).collect()
    }

    /// Whether the policy lets it in.
    pub fn is_welcome(&self, join: &JoinRequest) -> Result<(), ErrorCode> {
        if self.policy.suspended {
            return Err(ErrorCode::TenantSuspended);
        }
        if join.grant.generation != self.policy.generation {
            return Err(ErrorCode::Unauthorized);
        }
        Ok(())
    }

    /// Lets a connection in. `is_bot`: whether its client id is a bot's. Errors: the policy, a quota or a
    /// rate; its client id is a bot's.
    pub fn admit(
        &mut self,
        ctx: &TenantContext<'_>,
        join: &JoinRequest,
        (client, is_bot): (&ClientId, bool),
    ) -> Result<(), Refusal> {
        let TenantContext { env, limits, .. } = *ctx;
        self.is_welcome(join)?;
        let sockets = self.socket_count() + join.kept;
        if sockets >= limits.sockets_per_tenant as usize {
            return Err(ErrorCode::QuotaExceeded.into());
        }
        if join.capabilities.awaits_reply() && self.waits >= limits.waits_per_tenant {
            return Err(ErrorCode::QuotaExceeded.into());
        }
        if is_bot {
            return Err(ErrorCode::InvalidId.into());
        }
        self.may_share(limits, join, client)?;
        self.take_admission(env, limits, join)
    }

    /// Whether another connection may have this client id. Of one that a token names there may be
    /// fewer: whoever has the token must not take all of the tenant's sockets and waits.
    fn may_share(
        &self,
        limits: &Limits,
        join: &JoinRequest,
        client: &ClientId,
    ) -> Result<(), ErrorCode> {
        let is_token = join.grant.client().is_some();
        let (sockets, calls) = self.clients.shared_by(client);
        let is_full = match join.capabilities.lasts {
            true => {
                let most = match is_token {
                    true => limits.sockets_per_token.min(limits.sockets_per_client),
                    false => limits.sockets_per_client,
                };
                sockets + self.newcomers.sockets_of(client) >= most as usize
            }
            false => {
                let most = (limits.waits_per_tenant / TOKEN_SHARE).max(1);
                is_token && calls >= most as usize
            }
        };
        match is_full {
            true => Err(ErrorCode::QuotaExceeded),
            false => Ok(()),
        }
    }

    fn take_admission(
        &mut self,
        env: &Env<'_>,
        limits: &Limits,
        join: &JoinRequest,
    ) -> Result<(), Refusal> {
        let payer = RatePayer::new(env, limits, self.node_count(), Some(&join.grant));
        // A socket's frames have a rate of their own; calls share their tenant's with its messages.
        if join.capabilities.pays_when_it_joins() {
            self.rates.take_unit(payer).map_err(Refusal::rate)?;
        }
        // What the directory is told of costs the store two steps.
        let is_told = env.nodes.shared && join.capabilities.is_listed();
        if is_told || join.capabilities.lasts {
            self.rates.take_join(payer).map_err(Refusal::rate)?;
        }
        Ok(())
    }

    /// Remembers a connection that the directory is being told of.
    pub fn insert_newcomer(&mut self, newcomer: NewConnection) {
        self.newcomers.insert(newcomer);
    }

    pub fn remove_newcomer(&mut self, key: ConnKey) -> Option<NewConnection> {
        self.newcomers.remove(key)
    }

    // --- until the directory is loaded ---

    /// Whether one more may wait until the directory is loaded.
    pub fn may_wait(&self, limits: &Limits) -> bool {
        self.waiting.len() < limits.sockets_per_tenant as usize
    }

    /// Lets a connection wait until the directory is loaded.
    pub fn wait_for_load(&mut self, join: JoinRequest) {
        self.waiting.push(join);
    }

    /// Takes those that wait for the directory.
    pub fn take_waiting(&mut self) -> Vec<JoinRequest> {
        std::mem::take(&mut self.waiting)
    }

    /// One that may wait for the directory is gone; it, if it waited.
    pub fn stop_waiting(&mut self, key: ConnKey) -> Option<JoinRequest> {
        let place = self.waiting.iter().position(|join| join.conn == key)?;
        Some(self.waiting.remove(place))
    }

    /// Whether nobody is a member of this node, or about to be.
    pub fn is_deserted(&self) -> bool {
        self.connections.is_empty() && self.newcomers.len() == 0 && self.waiting.is_empty()
    }
}
