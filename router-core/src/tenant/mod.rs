//! Everything of one tenant on this node: who is connected, which bots there are, what is owed.
//!
//! The names in here mean nothing outside, and nothing outside is reachable from here: that is the
//! isolation. A tenant loads its directory from the store once, and keeps it while it has
//! connections and a minute longer.
//!
//! | file | does |
//! | --- | --- |
//! | `connect.rs` | joins and leaves; policy: revoked, suspended |
//! | `routes.rs` | who is who: connections, bots, clients; what a name means |
//! | `awaits.rs` | tells the reply that a wait is for |
//! | `directory.rs` | the replica of the directory: routing never asks the store |
//! | `entries.rs` | what one entry of it means for this node |
//! | `snapshot.rs` | all of it; healing when the store lost data |
//! | `comparison.rs` | whether the store has more, or less |
//! | `rereads.rs` | when the directory may be read again |
//! | `burials.rs` | what dead nodes leave |
//! | `owed.rs` | what the store is owed: entries to let go, entries to say again |
//! | `send.rs` | carries a message into queues and onto lanes |
//! | `settle.rs` | settles its answer |
//! | `flows.rs` | keeps messages in order while a bot's route changes |
//! | `claims.rs` | makes a connection the home of a bot |
//! | `eligibility.rs` | who may ask for that |
//! | `homes.rs` | what a bot's home means for routes, presence and who held it before |
//! | `flaps.rs` | tells two instances that fight over a bot from one that restarts |
//! | `presence.rs` | tells of bots that came and went |
//! | `news.rs` | presence changes that are not delivered to every socket yet |
//! | `subscriptions.rs` | which bots a socket is told of |
//! | `changes.rs` | the newest change of each bot, for those who are not told yet |
//! | `listing.rs` | lists them |
//! | `rates.rs` | what the tenant, and one token, may do a second |
//! | `status.rs` | tells a tenant's owner which connections there are |
//! | `replica.rs` | shows it to operators and tests |
//! | `dedupe.rs` | remembers idempotency keys |

mod awaits;
mod burials;
mod changes;
mod claims;
mod comparison;
mod connect;
mod dedupe;
mod directory;
mod eligibility;
mod entries;
mod flaps;
mod flows;
mod homes;
mod listing;
mod news;
mod owed;
mod presence;
mod rates;
mod replica;
mod rereads;
mod routes;
mod send;
mod settle;
mod snapshot;
mod status;
mod subscriptions;

use std::sync::Arc;

use protocol::limits::{REMEMBER_MS, TENANT_LINGER_MS};
use protocol::{BotId, ErrorCode, Limits, Refusal, TenantId};

use crate::effect::{TenantEffect, TenantEffects, Ticket};
use crate::env::{Env, Millis};
use crate::ids::{ConnKey, HashKeys};
use crate::request::{Command, Join, Notice, Request};
use crate::small::SmallMap;
use crate::store::{self, Ask, DirectoryCaps, Policy, Release, Reply, Snapshot};
use connect::Entering;
use dedupe::Dedupe;
use directory::Directory;
use flows::Flows;
use owed::{Owed, Said};
use presence::Presence;
use rates::{Payer, Rates};
pub use replica::{Replica, ReplicaBot};
use routes::Routes;
use settle::Deliveries;

/// How often a tenant forgets offline bots and absent clients that are a day old, milliseconds.
const SWEEP_MS: Millis = 10 * 60 * 1000;

/// One tenant on this node.
///
/// Its fields lie in this order, from the start of a line of memory: what every message needs is
/// together in front, so that with many tenants a message brings few lines into the cache.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Tenant {
    id: TenantId,
    limits: Arc<Limits>,
    rates: Rates,
    numbers: u64,
    deliveries: Deliveries,
    flows: Flows,
    routes: Routes,
    presence: Presence,
    dedupe: Dedupe,
    /// Absent until the store's answer: then joins wait.
    loading: Option<Vec<Join>>,
    policy: Policy,
    /// Whether an operator's order has come: it is newer than a load that was under way.
    ordered: bool,
    directory: Directory,
    owed: Owed,
    entering: Entering,
    claims: SmallMap<BotId, Box<claims::Queue>, 0>,
    asked: SmallMap<u64, Asked, 1>,
    sweep_ms: Millis,
    over_ms: Option<Millis>,
    /// The alarm that the shard keeps for this tenant.
    pub(crate) alarm_ms: Option<Millis>,
}

/// What a store's answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Load,
    Version,
    Enter(ConnKey),
    Claims(BotId),
    Release(Box<Release>),
    Assert(Box<Said>),
    Reap,
}

impl Asked {
    /// Whether it may have changed what the directory says of this node.
    fn is_own_step(&self) -> bool {
        match self {
            Asked::Enter(_) | Asked::Claims(_) | Asked::Release(_) | Asked::Assert(_) => true,
            Asked::Load | Asked::Version | Asked::Reap => false,
        }
    }
}

impl Tenant {
    /// A tenant that was met for the first time: it asks the store who it is.
    pub(crate) fn new(id: TenantId, keys: HashKeys, env: &Env<'_>, fx: &mut TenantEffects) -> Self {
        let (generation, suspended) = env.settings.policy_of(&id);
        let mut tenant = Self {
            limits: env.settings.limits_of(&id),
            loading: Some(Vec::new()),
            ordered: false,
            policy: Policy {
                generation,
                suspended,
            },
            directory: Directory::default(),
            owed: Owed::default(),
            entering: Entering::default(),
            routes: Routes::default(),
            presence: Presence::new(&env.settings.limits_of(&id)),
            dedupe: Dedupe::new(keys),
            rates: Rates::default(),
            claims: SmallMap::default(),
            flows: Flows::default(),
            deliveries: Deliveries::default(),
            asked: SmallMap::default(),
            numbers: 0,
            sweep_ms: env.now_ms + SWEEP_MS,
            over_ms: None,
            alarm_ms: None,
            id,
        };
        tenant.read(env, fx);
        tenant
    }

    /// Its name.
    pub(crate) fn id(&self) -> &TenantId {
        &self.id
    }

    /// When it wants to be woken, Unix milliseconds.
    pub(crate) fn next_wakeup(&self) -> Option<Millis> {
        let flush_ms = self.presence.flush_ms().unwrap_or(Millis::MAX);
        Some(
            self.sweep_ms
                .min(flush_ms)
                .min(self.directory.next_wakeup())
                .min(self.owed.next_wakeup())
                .min(self.over_ms.unwrap_or(Millis::MAX)),
        )
    }

    /// Whether nothing has needed it for a minute, and the store knows all that it must, so that it
    /// may be forgotten.
    pub(crate) fn is_over(&self, now_ms: Millis) -> bool {
        self.over_ms.is_some_and(|over_ms| now_ms >= over_ms) && self.owed.is_paid()
    }

    pub(crate) fn wake(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        if self.over_ms.is_some_and(|over_ms| env.now_ms >= over_ms) {
            self.over_ms = Some(env.now_ms + TENANT_LINGER_MS);
        }
        if env.now_ms >= self.sweep_ms {
            self.sweep_ms = env.now_ms + SWEEP_MS;
            self.routes
                .forget_before(env.unix_ms.saturating_sub(REMEMBER_MS));
            self.dedupe.forget(env.now_ms);
            self.rates.forget(env.now_ms);
        }
        if self.loading.is_none() {
            self.wake_comparison(env, fx);
            self.wake_rereads(env, fx);
            self.wake_healing(env, fx);
            self.wake_burials(env, fx);
        }
        self.wake_owed(env, fx);
        self.flush_presence(env, fx);
    }

    pub(crate) fn request(&mut self, env: &Env<'_>, request: Request, fx: &mut TenantEffects) {
        let Request {
            permit,
            id,
            command,
        } = request;
        let conn = permit.conn();
        // A connection that was expelled meanwhile is owed no answer: its close is on the way.
        if self.routes.connection(conn).is_none() {
            return;
        }
        if let Err(retry_ms) = self.take_cost(env, conn, &command) {
            return fx.refuse(conn, id.as_ref(), Refusal::rate(retry_ms));
        }
        match command {
            Command::Register(registration) => self.register(env, conn, id, registration, fx),
            Command::Unregister(bot) => self.unregister(env, conn, id, bot, fx),
            Command::Subscribe(bot) => self.subscribe(env, conn, id, bot, true, fx),
            Command::Unsubscribe(bot) => self.subscribe(env, conn, id, bot, false, fx),
            Command::List(list) => self.list(env, conn, id, list, fx),
            Command::Find(bot) => self.find(env, conn, id, &bot, fx),
            Command::Survey(survey) => self.survey(env, conn, id, &survey, fx),
        }
    }

    /// Takes what a command costs from its tenant's rate: one that makes a step of the directory from
    /// that for joins. Lists and surveys take theirs where their answer is made.
    fn take_cost(&mut self, env: &Env<'_>, conn: ConnKey, command: &Command) -> Result<(), Millis> {
        let grant = self.routes.connection(conn).map(|conn| &conn.grant);
        let payer = Payer::new(env, &self.limits, &self.routes, grant);
        match command {
            Command::Register(_) | Command::Unregister(_) => self.rates.take_join(payer),
            Command::Subscribe(_) | Command::Unsubscribe(_) => self.rates.take_unit(payer),
            Command::List(_) | Command::Find(_) | Command::Survey(_) => Ok(()),
        }
    }

    pub(crate) fn reply(
        &mut self,
        env: &Env<'_>,
        number: u64,
        reply: Reply,
        fx: &mut TenantEffects,
    ) {
        let asked = self.asked.remove(&number);
        self.directory.unseen |= asked.as_ref().is_some_and(Asked::is_own_step);
        match (asked, reply) {
            (Some(Asked::Load), Reply::Loaded(snapshot)) => self.loaded(env, *snapshot, fx),
            (Some(Asked::Load), Reply::Refused(code)) => self.not_loaded(env, code, fx),
            (Some(Asked::Load), Reply::Lost) => {
                self.not_loaded(env, ErrorCode::StoreUnavailable, fx);
            }
            (Some(Asked::Load), _) => self.not_loaded(env, ErrorCode::Internal, fx),
            (Some(Asked::Version), Reply::Version(ver)) => self.compared(env, Some(ver), fx),
            (Some(Asked::Version), _) => self.compared(env, None, fx),
            (Some(Asked::Enter(conn)), reply) => self.entered(env, conn, &reply, fx),
            (Some(Asked::Claims(bot)), reply) => {
                self.claim_answered(env, &bot, number, reply, fx);
            }
            (Some(Asked::Release(release)), reply) => self.released(env, *release, &reply, fx),
            (Some(Asked::Assert(said)), reply) => self.said_again(env, *said, reply, fx),
            (Some(Asked::Reap), reply) => self.reaped(env, &reply),
            (None, _) => {}
        }
    }

    fn loaded(&mut self, env: &Env<'_>, snapshot: Snapshot, fx: &mut TenantEffects) {
        let waiting = self.loading.take();
        self.replace(env, snapshot, fx);
        for join in waiting.into_iter().flatten() {
            self.enter(env, join, fx);
        }
        self.linger(env);
    }

    fn not_loaded(&mut self, env: &Env<'_>, code: ErrorCode, fx: &mut TenantEffects) {
        self.not_read(env);
        let Some(waiting) = &mut self.loading else {
            return;
        };
        for join in std::mem::take(waiting) {
            refuse_join(&join, code.into(), fx);
        }
        // Whoever comes next asks the store again.
        self.over_ms = Some(env.now_ms);
    }

    /// Starts or stops the minute after which an empty tenant is forgotten.
    fn linger(&mut self, env: &Env<'_>) {
        let waits = self
            .loading
            .as_ref()
            .is_some_and(|waiting| !waiting.is_empty());
        let waits = waits || self.entering.len() > 0;
        self.over_ms = match self.routes.is_empty() && !waits {
            true => self.over_ms.or(Some(env.now_ms + TENANT_LINGER_MS)),
            false => None,
        };
    }

    /// What a name is answered that was never seen, or may not be: one code for both.
    fn unknown(&self, env: &Env<'_>) -> ErrorCode {
        // What other nodes hold is in the store: a name that it has not is unknown at once.
        let in_grace = !env.nodes.shared && env.now_ms < env.settings.grace_until_ms;
        if in_grace {
            ErrorCode::BotOffline
        } else {
            ErrorCode::BotNotFound
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Asks the store; returns the question's number.
    fn ask(&mut self, env: &Env<'_>, ask: Ask, asked: Asked, fx: &mut TenantEffects) -> u64 {
        let number = self.number();
        self.asked.insert(number, asked);
        let ticket = Ticket {
            tenant: self.id.clone(),
            number,
        };
        let request = store::Request {
            tenant: self.id.clone(),
            ask,
            known_ver: self.directory.known_ver,
            now_ms: env.unix_ms,
            caps: DirectoryCaps::from(&*self.limits),
        };
        let request = Box::new(request);
        fx.push(TenantEffect::Ask { ticket, request });
        number
    }
}

fn refuse_join(join: &Join, refusal: Refusal, fx: &mut TenantEffects) {
    let notice = Notice::Refused {
        code: refusal.code,
        retry_ms: refusal.retry_ms,
    };
    fx.push(TenantEffect::Tell {
        conn: join.conn,
        notice,
    });
}
