//! The replica of a tenant's directory, so that routing never asks the store.
//!
//! ```text
//!  event, prev = ver ─▶ apply            event, prev ≠ ver ─▶ Load again, which has it
//!  Loaded ─▶ replace, then the events that came meanwhile and are above it
//!  every 5 s, and when the link is back: Version ─ behind ─▶ Load
//!                                                └ lower, none ─▶ the store lost data: heal
//! ```
//!
//! A step that this node asked for takes effect here when its reply *or* its event comes, whichever
//! is first; the other one finds nothing left to do. So the replica may know more of this node's own
//! bots than its number says, never less; an epoch that is lower than the known one is old news.
//!
//! Here is where the replica stands, when it is compared and read, and what the store must still be
//! told. The entries themselves are in [`Members`](super::members::Members) and
//! [`Bots`](super::bots::Bots).

mod comparing;
mod comparison;
mod dead_entries;
mod events;
pub(super) mod outbox;
pub(super) mod queries;
mod reasserting;
mod rereads;

use std::collections::BTreeMap;

use super::context::TenantContext;
use crate::effect::{RouterFact, TenantEffect, TenantEffects, Ticket};
use crate::env::{Env, Millis};
use crate::store::{
    DirectoryCaps, DirectoryEvent, DirectoryQuery, DirectoryRequest, StoreQuery, StoreRequest,
};
use comparison::DirectoryComparison;
use dead_entries::DeadEntries;
use outbox::Outbox;
use queries::{PendingQueries, PendingQuery};
use rereads::{ReadTiming, RereadPacing};

/// Where the replica stands, and what is under way between it and the store.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// Whether it was read once. Until then joins wait.
    is_loaded: bool,
    /// The number of the last step that was applied.
    ver: u64,
    /// The number of the first step of the directory that was read last.
    born: u64,
    /// Whether that number says nothing: what waited to be reasserted was not.
    doubtful: bool,
    /// Whether an event showed that the store went back and then on: its number does not show it.
    forked: bool,
    /// Whether the store took a step of this node since the last event. The event of that step may be
    /// lost. Then the number does not show that the store went back to before the step.
    unseen: bool,
    /// The highest number that was seen anywhere.
    known_ver: u64,
    /// The same when the directory was last asked for: a store that has less has lost data.
    known_when_asked: u64,
    /// A loss up to this number is over: what was not reasserted in time stays lost.
    accepted_ver: u64,
    /// Whether it is being read; then events wait.
    reading: bool,
    waiting: BTreeMap<u64, DirectoryEvent>,
    /// Whether an operator's order has come since it was last asked for: what is read then is older.
    ordered: bool,
    /// Until when what the store lost may be reasserted.
    heal_until_ms: Option<Millis>,
    comparison: DirectoryComparison,
    rereads: RereadPacing,
    dead: DeadEntries,
    queries: PendingQueries,
    outbox: Outbox,
}

impl Directory {
    pub fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Whether it is being read.
    pub fn is_reading(&self) -> bool {
        self.reading
    }

    /// The number of the last step that was applied.
    pub fn ver(&self) -> u64 {
        self.ver
    }

    /// The highest number that was seen anywhere.
    pub fn known_ver(&self) -> u64 {
        self.known_ver
    }

    /// A number was seen.
    pub fn saw(&mut self, ver: u64) {
        self.known_ver = self.known_ver.max(ver);
    }

    /// What the store must still be told.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Whether the store knows all that it must, and this is certain: no question is under way, and when
    /// the store was asked last it had lost no step that it took of this node.
    pub fn is_settled(&self, env: &Env<'_>) -> bool {
        let is_told = self.outbox.is_settled() && self.dead.is_settled();
        let is_compared = !env.nodes.degraded && self.comparison.agrees(env.now_ms);
        let is_certain = is_compared || !env.nodes.shared || !self.is_loaded;
        is_told && is_certain && self.queries.is_empty()
    }

    pub fn next_wakeup(&self) -> Millis {
        let heal_ms = self.heal_until_ms.unwrap_or(Millis::MAX);
        heal_ms
            .min(self.comparison.next_wakeup())
            .min(self.rereads.next_wakeup())
            .min(self.dead.next_wakeup())
            .min(self.outbox.next_wakeup())
    }

    /// Asks the store; returns the question's number.
    pub fn ask(
        &mut self,
        ctx: &TenantContext<'_>,
        query: DirectoryQuery,
        pending: PendingQuery,
        fx: &mut TenantEffects,
    ) -> u64 {
        let number = self.queries.insert(pending);
        let ticket = Ticket {
            tenant: ctx.id.clone(),
            number,
        };
        let request = StoreRequest {
            tenant: ctx.id.clone(),
            now_ms: ctx.env.unix_ms,
            query: StoreQuery::Directory(DirectoryRequest {
                query,
                known_ver: self.known_ver,
                caps: DirectoryCaps::from(ctx.limits),
            }),
        };
        let request = Box::new(request);
        fx.push(TenantEffect::Ask { ticket, request });
        number
    }

    /// What a question was for that is answered now.
    pub fn answered(&mut self, number: u64) -> Option<PendingQuery> {
        let query = self.queries.take(number)?;
        if query.is_own_step() {
            self.unseen = true;
            self.comparison.doubt();
        }
        Some(query)
    }

    /// Reads the directory, unless it is being read; soon, if it was read a moment ago.
    pub fn read(&mut self, ctx: &TenantContext<'_>, fx: &mut TenantEffects) {
        self.comparison.doubt();
        if self.reading || !self.may_read(ctx, fx) {
            return;
        }
        self.reading = true;
        // The answer has every step that is known already. One that it has not was made up, or is
        // lost: to wait for it would mean to read for ever.
        self.waiting.clear();
        self.comparison.restart();
        self.known_when_asked = self.known_ver;
        // What is read from now on knows of every order before.
        self.ordered = false;
        fx.push(TenantEffect::Note(RouterFact::DirectoryRead));
        let dead = ctx.env.nodes.dead.clone();
        self.ask(ctx, DirectoryQuery::Load { dead }, PendingQuery::Load, fx);
    }

    /// Whether the directory may be read now. If not, it is read later.
    fn may_read(&mut self, ctx: &TenantContext<'_>, fx: &mut TenantEffects) -> bool {
        // What waits for the first load is answered or refused at once.
        let spread = ctx.env.jitter_of(ctx.id);
        let timing = self
            .rereads
            .request(ctx.env.now_ms, !self.is_loaded, spread);
        match timing {
            ReadTiming::Now => true,
            ReadTiming::Deferred(wait_ms) => {
                let fact = RouterFact::ReadDeferred(Box::new((ctx.id.clone(), wait_ms)));
                fx.push(TenantEffect::Note(fact));
                false
            }
            ReadTiming::Waits => false,
        }
    }

    /// An operator's order has come.
    pub fn note_order(&mut self) {
        self.ordered = true;
    }

    /// Whether an operator's order has come since the directory was last asked for.
    pub fn is_older_than_order(&self) -> bool {
        self.ordered
    }
}
