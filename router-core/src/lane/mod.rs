//! The pipe from one node to another: reliable and in order, over PUBLISH, which is neither.
//!
//! ```text
//!  push ─▶ Sender ──take──▶ PUBLISH ~~~▶ arrived ─▶ Receiver ─▶ handle each, decided
//!  settled ◀─ acked ◀──────────────────── PUBLISH ◀── ack
//! ```
//!
//! Go-back-N with numbers for messages, selective verdicts, and a generation for each life of the
//! lane. Partials and typing travel in their place between the messages, without a number: they are
//! sent at most once. Both ends are pure; the shell publishes, reads the clock and keeps one
//! `Sender` and one `Receiver` for every other node *until that boot id is evicted*: one made anew
//! for the same pair would count from 1 again.
//!
//! It is not the place of decisions: what a receiving node makes of an envelope, and what a sending
//! node does about a verdict, is the tenant's. Packets as bytes: `protocol::lane`. Rules and reasons:
//! each method below.
//!
//! | what is bounded | by |
//! | --- | --- |
//! | bytes that wait or are unacknowledged | the window; a tenant's by a quarter of it |
//! | messages unacknowledged, verdicts kept | `LANE_UNACKED_MAX` |
//! | best effort published since the last ack | a quarter of the window, or two batches |
//! | one batch, one ack | `LANE_BATCH_BYTES`, `LANE_VERDICTS_MAX` |
//! | time in a lane | `LANE_DEADLINE_MS` |

mod accounts;
mod parcel;
mod queue;
mod receiver;
mod retry;
mod sender;
mod turns;
mod window;

use protocol::limits::{LANE_WINDOW_BYTES_MAX, LANE_WINDOW_BYTES_MIN, LANE_WINDOWS_BYTES};

use crate::env::Millis;

pub use parcel::{BestEffortStream, LaneOutcome, Parcel, ParcelOutcomes};
pub use receiver::Receiver;
pub use sender::Sender;

/// A lane as operators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneStatus {
    /// Which life it is: 1, and one more for every time that it gave up.
    pub generation: u64,
    /// Bytes published and not acknowledged, overheads included.
    pub unacked_bytes: usize,
    /// Bytes not yet published, overheads included.
    pub waiting_bytes: usize,
    /// Messages published and not acknowledged.
    pub unacked: usize,
    /// Messages published again, since the lane exists.
    pub resends: u64,
    /// How long its oldest message is in it.
    pub oldest_ms: Option<Millis>,
}

/// The window of each lane to a node that `others` other live nodes send to.
pub fn window_bytes(others: usize) -> usize {
    (LANE_WINDOWS_BYTES / others.max(1)).clamp(LANE_WINDOW_BYTES_MIN, LANE_WINDOW_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_share_what_a_subscriber_may_have() {
        let mib = 1024 * 1024;
        assert_eq!(window_bytes(0), 4 * mib);
        assert_eq!(window_bytes(1), 4 * mib);
        assert_eq!(window_bytes(2), 3 * mib);
        assert_eq!(window_bytes(12), mib / 2);
        assert_eq!(window_bytes(1000), LANE_WINDOW_BYTES_MIN);
    }
}
