//! What the store is owed by this node: entries to let go, and entries to say again.
//!
//! One step of each kind is under way at a time; what gathers meanwhile is the next one. So a
//! thousand sockets that leave at once are a few steps, not a thousand. A step that was lost is
//! owed again, and paid a second later.

use std::collections::BTreeSet;

use protocol::limits::DIRECTORY_STEP_MAX;
use protocol::{BotId, ClientId, ConnectionId};

use super::routes::Bot;
use super::{Asked, Tenant};
use crate::effect::TenantEffects;
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::store::{Ask, Assert, BotRecord, ConnRecord, Fence, Holder, Release, Reply};

/// How long a step that was not taken waits, milliseconds.
const RETRY_MS: Millis = 1000;

/// What is to be told, and whether a step of each kind is under way.
#[derive(Debug, Default)]
pub(super) struct Owed {
    bots: BTreeSet<(BotId, u64, ConnectionId)>,
    conns: BTreeSet<ConnectionId>,
    seen: BTreeSet<ClientId>,
    releasing: bool,
    /// When to pay again what was not taken.
    retry_ms: Option<Millis>,
    again_bots: BTreeSet<BotId>,
    again_conns: BTreeSet<ConnKey>,
    /// The store has a lower key generation than was known here.
    again_generation: bool,
    asserting: bool,
}

/// A step of saying again, for when it is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    bots: Vec<BotId>,
    conns: Vec<ConnKey>,
    generation: bool,
}

impl Owed {
    pub fn len(&self) -> usize {
        let going = self.bots.len() + self.conns.len() + self.seen.len();
        going + self.again_bots.len() + self.again_conns.len()
    }

    pub fn let_go_bot(&mut self, bot: BotId, fence: Fence) {
        self.bots.insert((bot, fence.epoch, fence.conn));
    }

    pub fn let_go_conn(&mut self, conn: ConnectionId) {
        self.conns.insert(conn);
    }

    /// It is gone, so there is nothing to say again.
    pub fn forget_conn(&mut self, key: ConnKey) {
        self.again_conns.remove(&key);
    }

    pub fn see(&mut self, client: ClientId) {
        self.seen.insert(client);
    }

    /// The bot is at home here after all.
    pub fn keep_bot(&mut self, bot: BotId, fence: Fence) {
        self.bots.remove(&(bot, fence.epoch, fence.conn));
    }

    pub fn next_wakeup(&self) -> Millis {
        self.retry_ms.unwrap_or(Millis::MAX)
    }

    /// Whether nothing is owed that nobody else could tell.
    pub fn is_paid(&self) -> bool {
        let nothing = self.bots.is_empty() && self.conns.is_empty() && self.seen.is_empty();
        let is_said = !self.again_generation && !self.asserting;
        nothing && !self.releasing && is_said
    }

    /// The next step of letting go, if there is one.
    fn release(&mut self) -> Option<Release> {
        let most = DIRECTORY_STEP_MAX;
        let bots = take(&mut self.bots, most);
        let conns = take(&mut self.conns, most);
        let seen = take(&mut self.seen, most);
        let nothing = bots.is_empty() && conns.is_empty() && seen.is_empty();
        let fence = |(bot, epoch, conn)| (bot, Fence { conn, epoch });
        (!nothing).then(|| Release {
            conns,
            bots: bots.into_iter().map(fence).collect(),
            seen,
        })
    }

    fn not_released(&mut self, release: Release) {
        for (bot, fence) in release.bots {
            self.let_go_bot(bot, fence);
        }
        self.conns.extend(release.conns);
        self.seen.extend(release.seen);
    }
}

impl Tenant {
    /// Begins the next step of letting go, unless one is under way.
    pub(super) fn pay(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        if self.owed.releasing {
            return;
        }
        if let Some(release) = self.owed.release() {
            self.owed.releasing = true;
            let asked = Asked::Release(Box::new(release.clone()));
            self.ask(env, Ask::Release(Box::new(release)), asked, fx);
        }
    }

    pub(super) fn released(
        &mut self,
        env: &Env<'_>,
        release: Release,
        reply: &Reply,
        fx: &mut TenantEffects,
    ) {
        self.owed.releasing = false;
        match reply {
            Reply::Done => self.pay(env, fx),
            Reply::Loaded(_)
            | Reply::Version(_)
            | Reply::Claimed { .. }
            | Reply::Newer(_)
            | Reply::Asserted(_)
            | Reply::Policy(_)
            | Reply::Refused(_)
            | Reply::Lost => {
                self.owed.not_released(release);
                self.owed.retry_ms = Some(env.now_ms + RETRY_MS);
            }
        }
    }

    pub(super) fn wake_owed(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        if self.owed.retry_ms.is_some_and(|at_ms| env.now_ms >= at_ms) {
            self.owed.retry_ms = None;
            self.pay(env, fx);
            self.say_again(env, fx);
        }
    }

    /// A bot that is at home here must be told to the store again.
    pub(super) fn say_again_bot(&mut self, bot: BotId) {
        self.owed.again_bots.insert(bot);
    }

    /// The same for a connection.
    pub(super) fn say_again_conn(&mut self, conn: ConnKey) {
        self.owed.again_conns.insert(conn);
    }

    /// The same for the key generation: even who holds nothing must not let revoked keys back in.
    pub(super) fn say_again_generation(&mut self) {
        self.owed.again_generation = true;
    }

    /// Begins the next step of saying again, unless one is under way.
    pub(super) fn say_again(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        if self.owed.asserting || !env.nodes.shared {
            return;
        }
        let said = Said {
            bots: take(&mut self.owed.again_bots, DIRECTORY_STEP_MAX),
            conns: take(&mut self.owed.again_conns, DIRECTORY_STEP_MAX),
            generation: std::mem::take(&mut self.owed.again_generation),
        };
        let boot = env.nodes.own;
        let bots = said.bots.iter().filter_map(|id| {
            let bot = self.routes.bot(id)?;
            let conn = self.routes.connection(bot.here()?)?.id;
            Some(record_of(bot, Holder { boot, conn }))
        });
        let conns = said.conns.iter().filter_map(|key| {
            let conn = self.routes.connection(*key)?;
            let client = conn.client.clone();
            Some((conn.id, ConnRecord { boot, client }))
        });
        let assert = Assert {
            boot,
            bots: bots.collect(),
            conns: conns.collect(),
            generation: self.policy.generation,
        };
        if assert.bots.is_empty() && assert.conns.is_empty() && !said.generation {
            return;
        }
        for key in &said.conns {
            if let Some(conn) = self.routes.connection_mut(*key) {
                conn.told = true;
            }
        }
        self.owed.asserting = true;
        let ask = Ask::Assert(Box::new(assert));
        self.ask(env, ask, Asked::Assert(Box::new(said)), fx);
    }

    pub(super) fn said_again(
        &mut self,
        env: &Env<'_>,
        said: Said,
        reply: Reply,
        fx: &mut TenantEffects,
    ) {
        self.owed.asserting = false;
        let refused = match reply {
            Reply::Asserted(refused) => refused,
            Reply::Loaded(_)
            | Reply::Version(_)
            | Reply::Claimed { .. }
            | Reply::Newer(_)
            | Reply::Done
            | Reply::Policy(_)
            | Reply::Refused(_)
            | Reply::Lost => {
                self.owed.again_bots.extend(said.bots);
                self.owed.again_conns.extend(said.conns);
                self.owed.retry_ms = Some(env.now_ms + RETRY_MS);
                self.owed.again_generation |= said.generation;
                return;
            }
        };
        for (bot, holder) in refused {
            let other = holder.filter(|it| it.boot != env.nodes.own);
            let is_live = other.is_some_and(|other| !env.nodes.is_dead(other.boot));
            let here = self.routes.bot(&bot).and_then(Bot::here);
            match (here, is_live) {
                (None, _) => {}
                // It was taken over; the directory says by whom.
                (Some(_), true) => self.read(env, fx),
                (Some(conn), false) => self.claim_anew(env, conn, bot, fx),
            }
        }
        self.say_again(env, fx);
    }
}

fn record_of(bot: &Bot, holder: Holder) -> BotRecord {
    BotRecord {
        info: bot.about.info.clone(),
        holder: Some(holder),
        epoch: bot.about.epoch,
        instance: bot.about.instance.clone(),
    }
}

/// Takes the first few of a set.
fn take<T: Ord>(set: &mut BTreeSet<T>, most: usize) -> Vec<T> {
    std::iter::from_fn(|| set.pop_first()).take(most).collect()
}
