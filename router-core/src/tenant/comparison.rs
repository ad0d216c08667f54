//! Asks the store how far the directory is, now and then, as events can be lost.
//!
//! A counter that is ahead of the replica may be ahead by events that are on their way; one that is
//! behind what the replica was when it asked means that the store lost data.

use protocol::limits::{COMPARE_MS, RESYNC_MS};

use super::{Asked, Tenant};
use crate::effect::TenantEffects;
use crate::env::{Env, Millis};
use crate::store::Ask;

/// How long a counter that is ahead may wait for the events that are on their way, milliseconds.
const BEHIND_MS: Millis = 300;

/// When to compare again if the directory could not be read, milliseconds.
pub(super) const READ_AGAIN_MS: Millis = 1000;

/// When to compare, and what of it is under way.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// When to ask next.
    at_ms: Option<Millis>,
    /// The replica's number when the store was asked for its own.
    asked: Option<u64>,
    /// A number that the store has and this replica has not, and until when it may come by itself.
    behind: Option<(u64, Millis)>,
}

impl Comparison {
    /// The directory is being read: the next comparison is for afterwards.
    pub fn restart(&mut self) {
        self.at_ms = None;
        self.behind = None;
    }

    pub fn next_wakeup(&self) -> Millis {
        let at_ms = self.at_ms.filter(|_| self.asked.is_none());
        let behind_ms = self.behind.map(|(_, until_ms)| until_ms);
        let both = at_ms.into_iter().chain(behind_ms);
        both.min().unwrap_or(Millis::MAX)
    }
}

impl Tenant {
    /// The store's number; absent: it could not say.
    pub(super) fn compared(&mut self, env: &Env<'_>, ver: Option<u64>, fx: &mut TenantEffects) {
        let asked = self.directory.comparison.asked.take();
        self.compare_later(env);
        self.meet_again(env, fx);
        let (Some(ver), Some(when_asked)) = (ver, asked) else {
            return;
        };
        if self.directory.doubtful || ver < when_asked {
            self.read(env, fx);
        } else if ver > self.directory.ver {
            self.directory.comparison.behind = Some((ver, env.now_ms + BEHIND_MS));
        }
        self.pay(env, fx);
        self.say_again(env, fx);
    }

    /// Compares now: the link is back, and what happened meanwhile was not told. Not at the same
    /// time as every other tenant.
    pub(crate) fn compare_soon(&mut self, env: &Env<'_>) {
        if self.loading.is_none() {
            self.directory.doubtful |= self.directory.unseen;
            let spread_ms = env.round_ms.max(RESYNC_MS) as f64;
            self.compare_within(env, (env.jitter_of(&self.id) * spread_ms) as Millis);
        }
    }

    /// Compares in a while, unless it is to be sooner.
    pub(super) fn compare_later(&mut self, env: &Env<'_>) {
        if self.directory.comparison.at_ms.is_none() {
            let factor = 0.75 + env.jitter_of(&self.id) / 2.0;
            let period_ms = env.round_ms.max(COMPARE_MS) as f64;
            self.compare_within(env, (period_ms * factor) as Millis);
        }
    }

    pub(super) fn compare_within(&mut self, env: &Env<'_>, wait_ms: Millis) {
        let compares = env.nodes.shared && self.loading.is_none();
        self.directory.comparison.at_ms = compares.then_some(env.now_ms + wait_ms);
    }

    pub(super) fn wake_comparison(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let is_due = |at_ms: Millis| env.now_ms >= at_ms;
        let ver = self.directory.ver;
        let comparison = &mut self.directory.comparison;
        let behind = comparison.behind.take_if(|(_, until_ms)| is_due(*until_ms));
        let ask = comparison.asked.is_none()
            && comparison.at_ms.take_if(|at_ms| is_due(*at_ms)).is_some();
        if ask {
            comparison.asked = Some(ver);
            self.ask(env, Ask::Version, Asked::Version, fx);
        }
        if behind.is_some_and(|(stored, _)| ver < stored) {
            self.read(env, fx);
        }
    }
}
