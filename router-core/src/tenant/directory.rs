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
//! What the directory says of this node and this node does not hold is let go again (`owed.rs`).

use std::collections::BTreeMap;

use protocol::limits::EVENTS_WAITING_MAX;

use super::burials::Burials;
use super::comparison::{Comparison, READ_AGAIN_MS};
use super::rereads::Rereads;
use super::{Asked, Tenant};
use crate::effect::{Fact, TenantEffect, TenantEffects};
use crate::env::{Env, Millis};
use crate::store::{Ask, Change, Event};

/// Where the replica stands.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// The number of the last step that was applied.
    pub ver: u64,
    /// The number of the first step of the directory that was read last.
    pub born: u64,
    /// Whether that number says nothing: what waited to be said again was not.
    pub doubtful: bool,
    /// Whether an event showed that the store went back and then on: its number does not show it.
    pub forked: bool,
    /// Whether the store took a step of this node since the last event: its event may be lost, and
    /// then a store that goes back to before it is not told by the number.
    pub unseen: bool,
    /// The highest number that was seen anywhere.
    pub known_ver: u64,
    /// The same when the directory was last asked for: a store that has less has lost data.
    pub known_when_asked: u64,
    /// A loss up to this number is over: what was not said again in time stays lost.
    pub accepted_ver: u64,
    /// Whether it is being read; then events wait.
    pub reading: bool,
    pub waiting: BTreeMap<u64, Event>,
    /// Until when what the store lost may be said again.
    pub heal_until_ms: Option<Millis>,
    pub comparison: Comparison,
    pub rereads: Rereads,
    pub burials: Burials,
}

impl Directory {
    pub fn next_wakeup(&self) -> Millis {
        let heal_ms = self.heal_until_ms.unwrap_or(Millis::MAX);
        heal_ms
            .min(self.comparison.next_wakeup())
            .min(self.rereads.next_wakeup())
            .min(self.burials.next_wakeup())
    }

    pub fn saw(&mut self, ver: u64) {
        self.known_ver = self.known_ver.max(ver);
    }
}

impl Tenant {
    /// Reads the directory, unless it is being read; soon, if it was read a moment ago.
    pub(super) fn read(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        if self.directory.reading || !self.may_read(env, fx) {
            return;
        }
        self.directory.reading = true;
        // The answer has every step that is known already. One that it has not was made up, or is
        // lost: to wait for it would mean to read for ever.
        self.directory.waiting.clear();
        self.directory.comparison.restart();
        self.directory.known_when_asked = self.directory.known_ver;
        // What is read from now on knows of every order before.
        self.ordered = false;
        fx.push(TenantEffect::Note(Fact::DirectoryRead));
        let dead = env.nodes.dead.clone();
        self.ask(env, Ask::Load { dead }, Asked::Load, fx);
    }

    /// Nothing was read: events must not wait for it. The next comparison tries again.
    pub(super) fn not_read(&mut self, env: &Env<'_>) {
        self.directory.reading = false;
        self.directory.waiting.clear();
        self.compare_within(env, READ_AGAIN_MS);
    }

    /// A step of the directory, as its maker told all nodes.
    pub(crate) fn event(&mut self, env: &Env<'_>, event: Event, fx: &mut TenantEffects) {
        self.directory.saw(event.ver);
        if self.directory.reading || self.loading.is_some() {
            // Too many: those that are missing will show as a gap.
            if self.directory.waiting.len() < EVENTS_WAITING_MAX {
                self.directory.waiting.insert(event.ver, event);
            }
            return;
        }
        self.apply_event(env, event, fx);
    }

    fn apply_event(&mut self, env: &Env<'_>, event: Event, fx: &mut TenantEffects) {
        if event.ver <= self.directory.ver && !self.directory.doubtful {
            return;
        }
        if event.prev != self.directory.ver || self.directory.doubtful {
            // It follows a step that this replica is beyond of, and is beyond that itself: the store
            // went back, and then on.
            let own = self.directory.ver;
            self.directory.forked |= event.prev < own && own < event.ver;
            return self.read(env, fx);
        }
        self.directory.ver = event.ver;
        if event.prev == 0 {
            self.directory.born = event.ver;
        }
        self.directory.unseen = false;
        for change in event.changes {
            self.apply(env, event.ver, change, fx);
        }
        self.bound_clients();
    }

    fn apply(&mut self, env: &Env<'_>, ver: u64, change: Change, fx: &mut TenantEffects) {
        match change {
            Change::Bot(record) => self.apply_bot(env, *record, fx),
            Change::Forgotten(bot) => self.told_forgotten(env, &bot, ver, fx),
            Change::Entered(conn, record) => self.apply_conn(env, conn, record, fx),
            Change::Left(conn) => match self.routes.key_of(&conn) {
                Some(key) => {
                    self.say_again_conn(key);
                    self.say_again(env, fx);
                }
                None => self.routes.remove_there(&conn),
            },
            Change::Seen(client, at_ms) => self.routes.see((client, at_ms)),
            Change::Policy(policy) => self.policy(env, policy, fx),
        }
    }
}
