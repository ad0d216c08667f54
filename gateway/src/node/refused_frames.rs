//! How fast a tenant's refused frames are read.
//!
//! A large frame costs the node its bytes before it can be refused, and no rate of the tenant pays for
//! them. So the socket is not read for a while afterwards, and the sockets of one tenant take turns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::limits::{BYTES_PER_UNIT, REFUSED_UNIT_MS, REFUSED_WAIT_MS_MAX};
use router_core::Millis;

/// Until when the refused frames of a tenant are paid for, milliseconds on the node's clock.
#[derive(Debug, Default)]
pub(super) struct RefusedFrames(AtomicU64);

impl RefusedFrames {
    /// Charges for a frame of so many bytes; says for how long its socket is not read.
    pub(super) fn charge(&self, bytes: usize, now_ms: Millis) -> Duration {
        let cost_ms = units(bytes) * REFUSED_UNIT_MS;
        let latest_ms = now_ms.saturating_add(REFUSED_WAIT_MS_MAX);
        let charged = |until_ms: u64| (until_ms.max(now_ms).saturating_add(cost_ms)).min(latest_ms);
        // Nothing else is read or written by what this says.
        let order = Ordering::Relaxed;
        let old = self.0.fetch_update(order, order, |old| Some(charged(old)));
        let (Ok(old) | Err(old)) = old;
        Duration::from_millis(charged(old) - now_ms)
    }
}

/// Whether the bytes of a refused frame are charged: small ones are counted, see `unpaid_answers.rs`.
pub(super) fn is_large(bytes: usize) -> bool {
    units(bytes) > 0
}

fn units(bytes: usize) -> u64 {
    bytes as u64 / u64::from(BYTES_PER_UNIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_sockets_of_a_tenant_take_turns() {
        let frames = RefusedFrames::default();
        let bytes = 25 * BYTES_PER_UNIT as usize;
        assert_eq!(frames.charge(bytes, 1000), MS(25));
        assert_eq!(frames.charge(bytes, 1000), MS(50));
        assert_eq!(frames.charge(bytes, 1040), MS(35), "10 ms were left");
        assert_eq!(frames.charge(bytes, 5000), MS(25), "nothing was left");
    }

    #[test]
    fn no_wait_is_longer_than_its_limit() {
        let frames = RefusedFrames::default();
        let bytes = 25 * BYTES_PER_UNIT as usize;
        let longest = (0..1000).map(|_| frames.charge(bytes, 7)).max();
        assert_eq!(longest, Some(MS(REFUSED_WAIT_MS_MAX)));
        assert_eq!(
            frames.charge(bytes, 1007),
            MS(REFUSED_WAIT_MS_MAX - 1000 + 25)
        );
    }
}
