//! When and what a lane repeats.

use protocol::limits::{LANE_RESEND_DOUBLINGS, LANE_RESEND_MS};

use crate::env::Millis;

/// The timer of the first unacknowledged batch, and what is known to be lost.
#[derive(Debug, Default)]
pub(super) struct LaneRetry {
    /// When the timer fires.
    pub at_ms: Option<Millis>,
    /// How often it fired without progress.
    pub tries: u32,
    /// The first unacknowledged batch is to be published once more.
    pub again: bool,
    /// A PUBLISH failed: nothing is published before the timer.
    pub held: bool,
    /// Published before the timer fired, so perhaps lost: up to here each ack calls for the next
    /// batch, as waiting for the timer each time would take longer than the deadline.
    pub suspect: u64,
    /// The last gap that was answered. All that was on its way behind a hole reports the same gap,
    /// and one repetition is the answer to all.
    pub gap: Option<u64>,
}

impl LaneRetry {
    /// Starts the timer unless it runs: 0.5, 1, 2, 4 s.
    pub fn start(&mut self, now_ms: Millis) {
        let wait_ms = LANE_RESEND_MS << self.tries.min(LANE_RESEND_DOUBLINGS);
        self.at_ms.get_or_insert(now_ms + wait_ms);
    }

    /// Whether the timer is due; if so it has stopped, and publishing may go on.
    pub fn fires(&mut self, now_ms: Millis) -> bool {
        let fires = self.at_ms.is_some_and(|at| at <= now_ms);
        if fires {
            self.at_ms = None;
            self.held = false;
            self.tries += 1;
        }
        fires
    }

    /// Something was acknowledged: Redis and the destination work.
    pub fn progress(&mut self) {
        self.at_ms = None;
        self.held = false;
        self.tries = 0;
    }

    /// What failed may work again: a timer that runs fires now.
    pub fn resume(&mut self, now_ms: Millis) {
        self.tries = 0;
        if let Some(at_ms) = &mut self.at_ms {
            *at_ms = now_ms.min(*at_ms);
        }
    }

    /// A new generation has nothing to repeat; but a Redis that failed still does.
    pub fn begin(&mut self) {
        let old = std::mem::take(self);
        if old.held {
            self.at_ms = old.at_ms;
            self.tries = old.tries;
            self.held = true;
        }
    }
}
