//! How many answers were written that no rate of a tenant pays for: refusals and pongs.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::limits::{
    UNPAID_ANSWERS_FEW, UNPAID_ANSWERS_MAX, UNPAID_ANSWERS_PER_TENANT, UNPAID_ANSWERS_WINDOW_MS,
};
use router_core::Millis;

/// Bits of the count, under those of the time: a million answers, and 500 years since any epoch.
const COUNT_BITS: u32 = 20;
/// A tenant's window is shorter, as what many sockets cause at once delays others.
const TENANT_WINDOW_MS: Millis = 1000;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// When the present window began, and the answers in it: one word, as every socket has one.
#[derive(Debug, Default)]
pub(super) struct UnpaidAnswers(AtomicU64);

impl UnpaidAnswers {
    /// Counts one; says how many there are in a window of so many milliseconds.
    fn count(&self, window_ms: Millis, now_ms: Millis) -> u32 {
        let counted = |old: u64| {
            let is_over = now_ms.saturating_sub(old >> COUNT_BITS) >= window_ms;
            match is_over {
                true => (now_ms << COUNT_BITS) + 1,
                false if old & COUNT_MAX == COUNT_MAX => old,
                false => old + 1,
            }
        };
        // Nothing else is read or written by what this says.
        let order = Ordering::Relaxed;
        let old = self.0.fetch_update(order, order, |old| Some(counted(old)));
        let (Ok(old) | Err(old)) = old;
        (counted(old) & COUNT_MAX) as u32
    }

    /// Counts one of a socket and of its tenant, if it has one; says whether the socket is closed for
    /// it: alone it has too many, or its tenant has and it has more than a few.
    pub(super) fn are_too_many(&self, of_tenant: Option<&Self>, now_ms: Millis) -> bool {
        let own = self.count(UNPAID_ANSWERS_WINDOW_MS, now_ms);
        let all = of_tenant.map_or(0, |tenant| tenant.count(TENANT_WINDOW_MS, now_ms));
        own >= UNPAID_ANSWERS_MAX || (own > UNPAID_ANSWERS_FEW && all >= UNPAID_ANSWERS_PER_TENANT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_of_a_socket_in_a_window_are_too_many() {
        let socket = UnpaidAnswers::default();
        // The clock may count from 1970.
        let many = |count: u32, ms| (0..count).any(|_| socket.are_too_many(None, (1 << 41) + ms));
        assert!(!many(UNPAID_ANSWERS_MAX - 1, 5), "one fewer");
        let later_ms = 5 + UNPAID_ANSWERS_WINDOW_MS;
        assert!(!many(UNPAID_ANSWERS_MAX - 1, later_ms), "a window later");
        let last_ms = later_ms + UNPAID_ANSWERS_WINDOW_MS - 1;
        assert!(many(1, last_ms), "the last moment of it");
    }

    #[test]
    fn of_a_tenant_with_too_many_those_with_more_than_a_few_are_closed() {
        let (tenant, quiet) = (UnpaidAnswers::default(), UnpaidAnswers::default());
        let loud: Vec<UnpaidAnswers> = (0..100).map(|_| UnpaidAnswers::default()).collect();
        let mut closed = 0;
        for _ in 0..UNPAID_ANSWERS_PER_TENANT / 100 {
            let each = loud.iter();
            closed += each
                .filter(|one| one.are_too_many(Some(&tenant), 5))
                .count();
        }
        assert_eq!(closed, 1, "the last one reaches the limit");
        assert!(!quiet.are_too_many(Some(&tenant), 5));
        assert!(loud[7].are_too_many(Some(&tenant), 5));
        assert!(!loud[7].are_too_many(Some(&tenant), 5 + TENANT_WINDOW_MS));
    }
}
