//! Everything of one tenant on this node: who is connected, which bots there are, what is owed.
//!
//! The names in here mean nothing outside, and nothing outside is reachable from here: that is the
//! isolation. A tenant loads its directory from the store once, and keeps it while it has
//! connections and a minute longer. It is not forgotten before the store certainly knows all that it
//! must: nobody else would tell it.
//!
//! Its state is in seven parts. A part changes only itself, and is handed what it needs of the others;
//! the tenant calls the parts in order.
//!
//! ```text
//!  Tenant ─▶ Delivery ─▶ Members, Bots        messages on their way, and those that were delivered
//!    ├─────▶ Presence ─▶ Members              which changes of bots each socket was told
//!    ├─────▶ Directory ─▶ Members, Bots       where the replica stands; what the store must be told
//!    ├─────▶ Bots ─▶ Members, Presence        which bots are listed, where they are at home; claims
//!    ├─────▶ Members                          connections, client ids, policy, rates
//!    ├─────▶ TenantMeter                      what the tenant uses, until it is booked
//!    └─────▶ MonthQuota ─▶ TenantMeter        how much of its monthly allowances is used
//! ```
//!
//! | file | calls the parts for |
//! | --- | --- |
//! | `joining.rs`, `leaving.rs` | a connection that joins or leaves; a new policy |
//! | `messages.rs` | a message, and what became of it |
//! | `requests.rs` | anything else that a connection asks |
//! | `claiming.rs`, `homes.rs` | a bot that is claimed, moves, or is taken off the list |
//! | `replies.rs` | the store's answers |
//! | `entries.rs`, `snapshot.rs` | a step of the directory; all of it |
//! | `nodes.rs` | a node that died; this one's new name |
//! | `metering.rs` | what is counted outside the other parts, and the booking of it |
//! | `replica.rs`, `limit_use.rs` | operators and tests, who look at it |

mod bots;
mod claiming;
mod context;
mod delivery;
mod directory;
mod entries;
mod homes;
mod joining;
mod leaving;
mod limit_use;
mod members;
mod messages;
mod meter;
mod metering;
mod nodes;
mod presence;
mod quota;
mod replica;
mod replies;
mod requests;
mod snapshot;

use std::sync::Arc;

use protocol::limits::REMEMBER_MS;
use protocol::{Limits, TenantId};

use crate::effect::TenantEffects;
use crate::env::{Env, Millis};
use crate::ids::HashKeys;
use crate::store::{DirectoryQuery, TenantPolicy};
use bots::Bots;
use context::{ReceiptCounter, TenantContext};
use delivery::Delivery;
use directory::Directory;
use directory::queries::PendingQuery;
pub use limit_use::LimitUse;
use members::Members;
use meter::TenantMeter;
pub use meter::{BookedRecord, SocketCounts, UnbookedUsage, UsageReport};
use presence::Presence;
use quota::MonthQuota;
pub use replica::{Entries, Replica, ReplicaBot};

/// How often a tenant forgets offline bots and absent clients that are a day old, milliseconds.
const SWEEP_MS: Millis = 10 * 60 * 1000;

/// One tenant on this node.
///
/// Its fields lie in this order, from the start of a line of memory, and so do those of its parts:
/// what every message needs is in front of each, so that with many tenants a message brings few lines
/// into the cache.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Tenant {
    receipts: ReceiptCounter,
    limits: Arc<Limits>,
    meter: TenantMeter,
    /// Absent without allowances.
    quota: Option<Box<MonthQuota>>,
    delivery: Delivery,
    members: Members,
    bots: Bots,
    presence: Presence,
    directory: Directory,
    sweep_ms: Millis,
    /// When it may be forgotten; [`Millis::MAX`]: it is needed.
    over_ms: Millis,
    /// The alarm that the shard keeps for this tenant; [`Millis::MAX`]: none.
    pub(crate) alarm_ms: Millis,
}

/// The allocator gives out 1,280 or 1,536 bytes, and nothing between: every tenant would pay for a byte more.
const TENANT_BYTES_MAX: usize = 1280;
const _: () = assert!(size_of::<Tenant>() <= TENANT_BYTES_MAX);

impl Tenant {
    /// A tenant that this node had not: it asks the store who it is.
    pub(crate) fn new(id: TenantId, keys: HashKeys, env: &Env<'_>, fx: &mut TenantEffects) -> Self {
        let (generation, suspended) = env.settings.policy_of(&id);
        let terms = env.settings.terms_of(&id, None);
        let policy = TenantPolicy {
            generation,
            suspended,
            assigned: None,
        };
        let mut tenant = Self {
            meter: TenantMeter::new(env, &id),
            quota: MonthQuota::new(env, &terms.allowances),
            receipts: ReceiptCounter::new(id),
            delivery: Delivery::new(keys),
            members: Members::new(policy, env.settings.first_secret),
            bots: Bots::default(),
            presence: Presence::new(&terms.limits),
            directory: Directory::default(),
            sweep_ms: env.now_ms + SWEEP_MS,
            over_ms: Millis::MAX,
            alarm_ms: Millis::MAX,
            limits: terms.limits,
        };
        tenant.read(env, fx);
        tenant.read_month(env, fx);
        tenant
    }

    /// Its name.
    pub(crate) fn id(&self) -> &TenantId {
        self.receipts.tenant()
    }

    /// When it wants to be woken, Unix milliseconds.
    pub(crate) fn next_wakeup(&self) -> Millis {
        self.sweep_ms
            .min(self.presence.next_wakeup())
            .min(self.directory.next_wakeup())
            .min(self.meter.next_wakeup())
            .min(self.over_ms)
    }

    /// Whether nothing has needed it for a minute, and the store certainly knows all that it must, its usage
    /// too, so that it may be forgotten.
    pub(crate) fn is_over(&self, env: &Env<'_>) -> bool {
        env.now_ms >= self.over_ms && self.directory.is_settled(env) && self.meter.is_settled()
    }

    pub(crate) fn wake(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        if env.now_ms >= self.over_ms {
            self.over_ms = env.now_ms + env.settings.tenant_linger_ms;
        }
        if env.now_ms >= self.sweep_ms {
            self.sweep_ms = env.now_ms + SWEEP_MS;
            let then_ms = env.unix_ms.saturating_sub(REMEMBER_MS);
            self.bots.forget_before(then_ms);
            self.members.forget_before(then_ms);
            self.members.forget_full_buckets(env.now_ms);
            self.delivery.forget(env.now_ms);
        }
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.directory.wake(&ctx, fx);
        if self.directory.outbox_mut().take_due(env.now_ms) {
            self.release(env, fx);
            self.reassert(env, fx);
        }
        let (presence, to) = self.presence();
        presence.flush(env, to, fx);
        self.flush_usage_due(env, fx);
    }

    // --- towards the store ---

    fn ask(
        &mut self,
        env: &Env<'_>,
        query: DirectoryQuery,
        pending: PendingQuery,
        fx: &mut TenantEffects,
    ) -> u64 {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.directory.ask(&ctx, query, pending, fx)
    }

    /// Reads the directory.
    fn read(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.directory.read(&ctx, fx);
    }

    /// Begins the next step of releasing, unless one is under way.
    fn release(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.directory.release(&ctx, fx);
    }

    /// Begins the next step of reasserting, unless one is under way.
    fn reassert(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let ctx = TenantContext::new(env, &self.receipts, &self.limits);
        self.directory
            .reassert(&ctx, &mut self.members, &self.bots, fx);
    }
}
