//! Limits how fast the node reads a tenant's frames that none of its rates pays for: frames refused with
//! `rate_limited`, dropped without an answer, or large without being a message.
//!
//! A frame costs the node its bytes before it can be refused. So the socket is not read for a while
//! afterwards, and the sockets of a tenant take turns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::limits::{UNPAID_BYTES_PER_SECOND, UNPAID_WAIT_MS_MAX};
use router_core::Millis;

/// Bytes for each millisecond.
const BYTES_PER_MS: u64 = UNPAID_BYTES_PER_SECOND / 1000;

/// The time at which the tenant's last turn ends, on the node's clock, in units of 1/`BYTES_PER_MS` of a
/// millisecond: one unit is one byte.
#[derive(Debug, Default)]
pub(super) struct UnpaidFrames(AtomicU64);

/// When a socket is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadTurn {
    /// At once.
    Now,
    /// After a wait.
    In(Duration),
    /// Too late: it is to be closed. Nothing was charged.
    TooLate,
}

impl UnpaidFrames {
    /// Charges for a frame of so many bytes.
    pub(super) fn charge(&self, bytes: usize, now_ms: Millis) -> ReadTurn {
        let now = now_ms * BYTES_PER_MS;
        let charged = |until: u64| until.max(now) + bytes as u64;
        let latest = now + UNPAID_WAIT_MS_MAX * BYTES_PER_MS;
        // Nothing else is read or written by what this says.
        let order = Ordering::Relaxed;
        let old = self.0.fetch_update(order, order, |old| {
            Some(charged(old)).filter(|until| *until <= latest)
        });
        match old.map(|old| (charged(old) - now) / BYTES_PER_MS) {
            Ok(0) => ReadTurn::Now,
            Ok(wait_ms) => ReadTurn::In(Duration::from_millis(wait_ms)),
            Err(_) => ReadTurn::TooLate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN: fn(u64) -> ReadTurn = |ms| ReadTurn::In(Duration::from_millis(ms));

    #[test]
    fn the_sockets_of_a_tenant_take_turns() {
        let frames = UnpaidFrames::default();
        let bytes = 25 * BYTES_PER_MS as usize;
        assert_eq!(frames.charge(bytes, 1000), IN(25));
        assert_eq!(frames.charge(bytes, 1000), IN(50));
        assert_eq!(frames.charge(bytes, 1040), IN(35), "10 ms were left");
        assert_eq!(frames.charge(bytes, 5000), IN(25), "nothing was left");
    }

    #[test]
    fn small_frames_add_up() {
        let frames = UnpaidFrames::default();
        let third = BYTES_PER_MS as usize / 3 + 1;
        let turns: Vec<ReadTurn> = (0..4).map(|_| frames.charge(third, 7)).collect();
        assert_eq!(turns, [ReadTurn::Now, ReadTurn::Now, IN(1), IN(1)]);
    }

    #[test]
    fn whose_turn_is_too_late_is_closed() {
        let frames = UnpaidFrames::default();
        let bytes = 25 * BYTES_PER_MS as usize;
        for turn in 1..=UNPAID_WAIT_MS_MAX / 25 {
            assert_eq!(frames.charge(bytes, 7), IN(25 * turn));
        }
        assert_eq!(frames.charge(bytes, 7), ReadTurn::TooLate);
        assert_eq!(frames.charge(bytes, 31), ReadTurn::TooLate);
        assert_eq!(frames.charge(bytes, 32), IN(UNPAID_WAIT_MS_MAX));
    }
}
