//! Sends what is in the outbox: steps that release, and steps that reassert.

use super::Directory;
use super::outbox::PendingAssert;
use super::queries::PendingQuery;
use crate::effect::TenantEffects;
use crate::store::{
    BotHolder, ConnRecord, DirectoryQuery, DirectoryReply, EntryRelease, HeldEntries, StoreResult,
};
use crate::tenant::bots::Bots;
use crate::tenant::context::TenantContext;
use crate::tenant::members::Members;

impl Directory {
    /// Begins the next step of releasing, unless one is under way.
    pub fn release(&mut self, ctx: &TenantContext<'_>, fx: &mut TenantEffects) {
        if let Some(release) = self.outbox.begin_release() {
            let release = Box::new(release);
            let query = PendingQuery::Release(release.clone());
            self.ask(ctx, DirectoryQuery::Release(release), query, fx);
        }
    }

    /// The store's answer to a step of releasing.
    pub fn released(
        &mut self,
        ctx: &TenantContext<'_>,
        release: EntryRelease,
        reply: &StoreResult<DirectoryReply>,
        fx: &mut TenantEffects,
    ) {
        if *reply == Ok(DirectoryReply::Done) {
            self.outbox.released();
            self.release(ctx, fx);
        } else {
            self.outbox.not_released(release, ctx.env.now_ms);
        }
    }

    /// Begins the next step of reasserting, unless one is under way.
    pub fn reassert(
        &mut self,
        ctx: &TenantContext<'_>,
        members: &mut Members,
        bots: &Bots,
        fx: &mut TenantEffects,
    ) {
        if !ctx.env.nodes.shared {
            return;
        }
        let Some(step) = self.outbox.take_assert() else {
            return;
        };
        let assert = assert_of(ctx, &step, members, bots);
        if assert.bots.is_empty() && assert.conns.is_empty() && !step.generation {
            return;
        }
        for key in &step.conns {
            if let Some(conn) = members.connection_mut(*key) {
                conn.told = true;
            }
        }
        self.outbox.begin_assert();
        let query = PendingQuery::Assert(Box::new(step));
        self.ask(ctx, DirectoryQuery::Assert(Box::new(assert)), query, fx);
    }
}

/// What a step tells the store: of what it reasserts, that which this node still holds.
fn assert_of(
    ctx: &TenantContext<'_>,
    step: &PendingAssert,
    members: &Members,
    bots: &Bots,
) -> HeldEntries {
    let boot = ctx.env.nodes.own;
    let bots = step.bots.iter().filter_map(|id| {
        let bot = bots.get(id.as_str())?;
        let conn = members.connection(bot.here()?)?.id;
        Some(bot.record(BotHolder { boot, conn }))
    });
    let conns = step.conns.iter().filter_map(|key| {
        let conn = members.connection(*key)?;
        let client = conn.client.clone();
        Some((conn.id, ConnRecord { boot, client }))
    });
    HeldEntries {
        boot,
        bots: bots.collect(),
        conns: conns.collect(),
        generation: members.key_generation(),
    }
}
