//! Compares the replica with the store now and then, and has the store release what dead nodes left.

use protocol::BootId;
use protocol::limits::{COMPARE_MS, RESYNC_MS};

use super::Directory;
use super::queries::PendingQuery;
use crate::effect::{TenantEffect, TenantEffects};
use crate::env::Millis;
use crate::store::{DirectoryQuery, DirectoryReply, StoreResult};
use crate::tenant::context::TenantContext;

/// When to compare again if the directory could not be read, milliseconds.
const READ_AGAIN_MS: Millis = 1000;

impl Directory {
    /// Does what is due.
    pub fn wake(&mut self, ctx: &TenantContext<'_>, fx: &mut TenantEffects) {
        if !self.is_loaded {
            return;
        }
        let now_ms = ctx.env.now_ms;
        let due = self.comparison.take_due(now_ms, self.ver);
        if due.asks {
            self.ask(ctx, DirectoryQuery::Version, PendingQuery::Version, fx);
        }
        if due.reads {
            self.read(ctx, fx);
        }
        if self.rereads.take_due(now_ms) {
            self.read(ctx, fx);
        }
        self.wake_healing(ctx, fx);
        if self.dead.take_due(now_ms) {
            let dead = ctx.env.nodes.dead.clone();
            self.ask(
                ctx,
                DirectoryQuery::Reap { dead },
                PendingQuery::ReleaseEvicted,
                fx,
            );
        }
    }

    /// The store's number; absent: it could not say. Returns whether it is known.
    pub fn compared(
        &mut self,
        ctx: &TenantContext<'_>,
        ver: Option<u64>,
        fx: &mut TenantEffects,
    ) -> bool {
        let asked = self.comparison.answered();
        self.compare_later(ctx);
        self.discover_again(ctx, fx);
        let (Some(ver), Some(when_asked)) = (ver, asked) else {
            return false;
        };
        if self.doubtful || ver < when_asked {
            self.read(ctx, fx);
        } else if ver > self.ver {
            self.comparison.fell_behind(ver, ctx.env.now_ms);
        } else if ver == self.ver {
            self.comparison.agree();
        }
        true
    }

    /// Nothing was read: events must not wait for it. The next comparison tries again.
    pub fn not_read(&mut self, ctx: &TenantContext<'_>) {
        self.reading = false;
        self.waiting.clear();
        self.compare_within(ctx, READ_AGAIN_MS);
    }

    /// Compares now: the link is back, and what happened meanwhile was not told. Not at the same
    /// time as every other tenant.
    pub fn compare_soon(&mut self, ctx: &TenantContext<'_>) {
        if self.is_loaded {
            self.doubtful |= self.unseen;
            self.comparison.doubt();
            let spread_ms = ctx.env.round_ms.max(RESYNC_MS) as f64;
            self.compare_within(ctx, (ctx.env.jitter_of(ctx.id) * spread_ms) as Millis);
        }
    }

    /// Compares in a while, unless it is to be sooner.
    pub fn compare_later(&mut self, ctx: &TenantContext<'_>) {
        if !self.comparison.is_scheduled() {
            let factor = 0.75 + ctx.env.jitter_of(ctx.id) / 2.0;
            let period_ms = ctx.env.round_ms.max(COMPARE_MS) as f64;
            self.compare_within(ctx, (period_ms * factor) as Millis);
        }
    }

    fn compare_within(&mut self, ctx: &TenantContext<'_>, wait_ms: Millis) {
        let compares = ctx.env.nodes.shared && self.is_loaded;
        let at_ms = compares.then_some(ctx.env.now_ms + wait_ms);
        self.comparison.schedule(at_ms);
    }

    /// A node has entries: if nobody here knows it, somebody has to look.
    pub fn discover(&mut self, ctx: &TenantContext<'_>, boot: BootId, fx: &mut TenantEffects) {
        if self.dead.discover(ctx.env.nodes, boot) {
            fx.push(TenantEffect::Discover(boot));
        }
    }

    /// Asks again to look for those who are still unknown.
    fn discover_again(&mut self, ctx: &TenantContext<'_>, fx: &mut TenantEffects) {
        for boot in self.dead.still_unknown(ctx.env.nodes) {
            fx.push(TenantEffect::Discover(boot));
        }
    }

    /// Has the store release soon what dead nodes held.
    pub fn release_evicted_soon(&mut self, ctx: &TenantContext<'_>) {
        // At a random time, so that the first of the nodes does it for all.
        let wait_ms = 100 + (ctx.env.jitter_of(ctx.id) * 900.0) as Millis;
        self.dead.release_at(ctx.env.now_ms + wait_ms);
    }

    /// Asks the store again if it did not release what dead nodes held: nothing else repeats that
    /// request.
    pub fn evicted_released(
        &mut self,
        ctx: &TenantContext<'_>,
        reply: &StoreResult<DirectoryReply>,
    ) {
        if *reply != Ok(DirectoryReply::Done) {
            self.release_evicted_soon(ctx);
        }
    }
}
