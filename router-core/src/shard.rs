//! A map from tenants to what they have on this node; each shard is locked as one.
//!
//! The shard only finds the tenant and keeps its alarm clock; everything of a tenant is inside
//! [`Tenant`], so isolation, limits and forgetting a tenant are the same boundary.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use hashbrown::HashMap;
use protocol::envelope::Envelope;
use protocol::presence::{BotInfo, Takeover};
use protocol::{BotId, FrameId, TenantId};
use siphasher::sip::SipHasher13;
use smol_str::SmolStr;

use crate::effect::{ConnKey, Effects, Outcome, Receipt, Ticket};
use crate::env::{Env, Millis};
use crate::permit::Permit;
use crate::store::{Policy, Reply};
use crate::tenant::{Join, Tenant};

/// What happens to a shard.
#[derive(Debug)]
pub enum Input {
    /// A verified connection wants in.
    Join(Box<Join>),
    /// A connection is gone.
    Leave(Leave),
    /// A message for somebody.
    Route(Box<Route>),
    /// Anything else a connection asks.
    Request(Box<Request>),
    /// The store's answer to [`Effect::Ask`](crate::effect::Effect::Ask).
    Reply {
        /// The question's ticket.
        ticket: Ticket,
        /// The answer.
        reply: Reply,
    },
    /// An operator revoked, suspended or resumed a tenant.
    Policy {
        /// Whose.
        tenant: TenantId,
        /// What holds now.
        policy: Policy,
    },
    /// [`Shard::next_wakeup`] is due.
    Wake,
}

/// A connection leaves its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// The tenant.
    pub tenant: TenantId,
    /// The connection.
    pub conn: ConnKey,
}

/// A message with the right to be routed. Only a [`Permit`] makes one.
#[derive(Debug)]
pub struct Route {
    pub(crate) permit: Permit,
    pub(crate) request_id: Option<FrameId>,
    pub(crate) envelope: Envelope,
}

impl Route {
    pub(crate) fn new(permit: Permit, request_id: Option<FrameId>, envelope: Envelope) -> Self {
        crate::check!(
            crate::invariant::Invariant::Isolation,
            permit.tenant() == &envelope.tenant,
            "envelope of {} under a permit of {}",
            envelope.tenant,
            permit.tenant()
        );
        Self {
            permit,
            request_id,
            envelope,
        }
    }

    /// Whose shard it goes to.
    pub fn tenant(&self) -> &TenantId {
        self.permit.tenant()
    }
}

/// What a connection asks of its tenant, with the right to ask it.
#[derive(Debug)]
pub struct Request {
    pub(crate) permit: Permit,
    pub(crate) id: Option<FrameId>,
    pub(crate) command: Command,
}

impl Request {
    /// Whose shard it goes to.
    pub fn tenant(&self) -> &TenantId {
        self.permit.tenant()
    }
}

/// What can be asked of a tenant, besides carrying messages.
#[derive(Debug)]
pub enum Command {
    /// Make this connection a bot's home.
    Register(Registration),
    /// Take a bot off the list.
    Unregister(BotId),
    /// Tell this connection of a bot's changes.
    Subscribe(BotId),
    /// Do not.
    Unsubscribe(BotId),
    /// One page of bots.
    List(List),
}

/// How a bot wants to be registered.
#[derive(Debug)]
pub struct Registration {
    /// As others shall see it; status and time are set by the claim.
    pub info: BotInfo,
    /// What happens to its present holder.
    pub takeover: Takeover,
    /// The bot's process.
    pub instance: Option<SmolStr>,
    /// Whether stored messages were asked for.
    pub confirm: bool,
}

/// One page of bots.
#[derive(Debug)]
pub struct List {
    /// Most bots.
    pub limit: usize,
    /// The last bot of the page before.
    pub after: Option<BotId>,
    /// Comes back in the answer.
    pub request_id: Option<String>,
}

/// SipHash under keys of this process, so that nobody can choose colliding tenants.
#[derive(Debug, Clone, Copy)]
pub struct HashKeys(pub u64, pub u64);

impl BuildHasher for HashKeys {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// Some of a node's tenants.
#[derive(Debug)]
pub struct Shard {
    tenants: HashMap<TenantId, Tenant, HashKeys>,
    alarms: BTreeSet<(Millis, TenantId)>,
    keys: HashKeys,
}

impl Shard {
    /// An empty shard. The keys should be random per process.
    pub fn new(keys: HashKeys) -> Self {
        Self {
            tenants: HashMap::with_hasher(keys),
            alarms: BTreeSet::new(),
            keys,
        }
    }

    /// How many tenants it holds.
    pub fn tenants(&self) -> usize {
        self.tenants.len()
    }

    /// When it wants [`Input::Wake`], Unix milliseconds.
    pub fn next_wakeup(&self) -> Option<Millis> {
        self.alarms.first().map(|(at_ms, _)| *at_ms)
    }

    /// Takes one input and says what must be done about it.
    pub fn handle(&mut self, env: &Env<'_>, input: Input, fx: &mut Effects) {
        match input {
            Input::Join(join) => {
                let id = join.grant.tenant.clone();
                let keys = self.keys;
                let tenant = self.tenants.entry(id.clone());
                let tenant = tenant.or_insert_with(|| Tenant::new(id.clone(), keys, env, fx));
                tenant.join(env, *join, fx);
                self.rest(&id);
            }
            Input::Leave(Leave { tenant, conn }) => {
                self.with(&tenant, |tenant| tenant.leave(env, conn, fx));
            }
            Input::Route(route) => {
                let id = route.tenant().clone();
                self.with(&id, |tenant| tenant.route(env, *route, fx));
            }
            Input::Request(request) => {
                let id = request.tenant().clone();
                self.with(&id, |tenant| tenant.request(env, *request, fx));
            }
            Input::Reply {
                ticket: Ticket { tenant, number },
                reply,
            } => {
                self.with(&tenant, |tenant| tenant.reply(env, number, reply, fx));
            }
            Input::Policy { tenant, policy } => {
                self.with(&tenant, |tenant| tenant.policy(env, policy, fx));
            }
            Input::Wake => self.wake(env, fx),
        }
    }

    /// Reports what became of a delivery, at once and in order.
    pub fn settled(&mut self, env: &Env<'_>, receipt: Receipt, outcome: Outcome, fx: &mut Effects) {
        let Receipt { tenant, number } = receipt;
        self.with(&tenant, |tenant| tenant.settled(env, number, outcome, fx));
    }

    /// Wakes the one tenant that has waited longest, so that one hold of the lock stays short; the
    /// caller comes back while [`next_wakeup`](Self::next_wakeup) is due.
    fn wake(&mut self, env: &Env<'_>, fx: &mut Effects) {
        let Some((at_ms, id)) = self.alarms.pop_first() else {
            return;
        };
        if at_ms > env.now_ms {
            self.alarms.insert((at_ms, id));
            return;
        }
        let Some(tenant) = self.tenants.get_mut(&id) else {
            return;
        };
        tenant.alarm_ms = None;
        if tenant.is_over(env.now_ms) {
            self.tenants.remove(&id);
            return;
        }
        tenant.wake(env, fx);
        self.rest(&id);
    }

    fn with(&mut self, id: &TenantId, then: impl FnOnce(&mut Tenant)) {
        let Some(tenant) = self.tenants.get_mut(id) else {
            return;
        };
        then(tenant);
        self.rest(id);
    }

    /// Moves the tenant's alarm if it changed.
    fn rest(&mut self, id: &TenantId) {
        let Some(tenant) = self.tenants.get_mut(id) else {
            return;
        };
        let (old, new) = (tenant.alarm_ms, tenant.next_wakeup());
        if old == new {
            return;
        }
        tenant.alarm_ms = new;
        if let Some(old) = old {
            self.alarms.remove(&(old, id.clone()));
        }
        if let Some(new) = new {
            self.alarms.insert((new, id.clone()));
        }
    }
}
