//! When the directory may be read again: a read that changes nothing must not be repeated at once.
//!
//! A read is made at once, and one that follows it too: an event may have been lost. Each further one
//! within [`QUIET_MS`] waits: 100 ms, 200 ms, and so on up to 5 s, give or take a quarter, so that the nodes do not read together. While a read
//! waits the replica serves on, and steps that follow it take effect.

use protocol::limits::{REREAD_MAX_MS, REREAD_MIN_MS};

use super::Tenant;
use crate::effect::{Fact, TenantEffect, TenantEffects};
use crate::env::{Env, Millis};

/// How long no read must have been wanted so that the next one is made at once, milliseconds.
const QUIET_MS: Millis = 2 * REREAD_MAX_MS;

/// The reads so far, and one that waits.
#[derive(Debug, Default)]
pub(super) struct Rereads {
    /// How many followed each other.
    count: u32,
    /// Before this no read is made.
    allowed_ms: Millis,
    /// When one is made that waits.
    due_ms: Option<Millis>,
}

impl Rereads {
    pub fn next_wakeup(&self) -> Millis {
        self.due_ms.unwrap_or(Millis::MAX)
    }

    /// Notes that a read is made now. `spread`: in [0, 1).
    fn begin(&mut self, now_ms: Millis, spread: f64) {
        self.due_ms = None;
        if now_ms >= self.allowed_ms.saturating_add(QUIET_MS) {
            self.count = 0;
        }
        let longest = match self.count.checked_sub(1) {
            None => 0,
            Some(doublings) => REREAD_MIN_MS.saturating_mul(1 << doublings.min(16)),
        };
        let wait_ms = longest.min(REREAD_MAX_MS) as f64 * (0.75 + spread / 2.0);
        self.count += 1;
        self.allowed_ms = now_ms + wait_ms as Millis;
    }
}

impl Tenant {
    /// Whether the directory may be read now. If not, it is read later.
    pub(super) fn may_read(&mut self, env: &Env<'_>, fx: &mut TenantEffects) -> bool {
        let rereads = &mut self.directory.rereads;
        // What waits for the first load is answered or refused at once.
        if self.loading.is_some() || env.now_ms >= rereads.allowed_ms {
            rereads.begin(env.now_ms, env.jitter_of(&self.id));
            return true;
        }
        if rereads.due_ms.is_none() {
            rereads.due_ms = Some(rereads.allowed_ms);
            let wait_ms = rereads.allowed_ms - env.now_ms;
            let fact = Fact::ReadDeferred(Box::new((self.id.clone(), wait_ms)));
            fx.push(TenantEffect::Note(fact));
        }
        false
    }

    pub(super) fn wake_rereads(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        let due_ms = &mut self.directory.rereads.due_ms;
        if due_ms.take_if(|due_ms| env.now_ms >= *due_ms).is_some() {
            self.read(env, fx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_read_waits_longer_and_a_quiet_time_ends_that() {
        let mut rereads = Rereads::default();
        let mut now_ms = 1_000_000;
        let mut waits = Vec::new();
        for _ in 0..9 {
            rereads.begin(now_ms, 0.5);
            waits.push(rereads.allowed_ms - now_ms);
            now_ms = rereads.allowed_ms;
        }
        assert_eq!(
            waits,
            [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000],
            "milliseconds"
        );
        rereads.begin(now_ms + QUIET_MS, 0.5);
        assert_eq!(rereads.allowed_ms, now_ms + QUIET_MS, "as at the start");
    }
}
