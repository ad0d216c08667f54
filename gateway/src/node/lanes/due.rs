//! The ack that waits for a batch to go with.
//!
//! Who is written to often answers at once: the ack of the message and the answer are one packet
//! then, and one PUBLISH less. What somebody waits for does not wait here.

use protocol::lane::LaneAck;
use protocol::limits::LANE_BATCH_BYTES;
use router_core::Millis;

/// How long an ack that says nothing urgent waits, milliseconds.
const WAIT_MS: Millis = 1;

/// The ack that is due.
#[derive(Debug, Default)]
pub(super) struct DueAck {
    /// The newest; it says all that an older one would.
    ack: Option<LaneAck>,
    /// When it goes without a batch.
    at_ms: Millis,
    /// Bytes that came since the last one left.
    bytes: usize,
}

impl DueAck {
    /// Bytes of a batch came: enough of them are acknowledged at once, as they fill the window of the
    /// other end.
    pub fn came(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// An ack is due. `is_hurried`: there may be no later.
    pub fn set(&mut self, now_ms: Millis, ack: LaneAck, is_hurried: bool) {
        let is_urgent =
            is_hurried || ack.gap || !ack.verdicts.is_empty() || self.bytes >= LANE_BATCH_BYTES;
        let at_ms = if is_urgent { now_ms } else { now_ms + WAIT_MS };
        self.at_ms = match self.ack {
            Some(_) => self.at_ms.min(at_ms),
            None => at_ms,
        };
        self.ack = Some(ack);
    }

    /// When it goes alone; `None` if none is due.
    pub fn alone_at(&self) -> Option<Millis> {
        self.ack.is_some().then_some(self.at_ms)
    }

    /// Takes it, to be published now.
    pub fn take(&mut self) -> Option<LaneAck> {
        self.bytes = 0;
        self.ack.take()
    }
}

#[cfg(test)]
mod tests {
    use protocol::ErrorCode;
    use protocol::lane::Verdict;

    use super::*;

    const NOW: Millis = 1_000_000;

    fn ack(upto: u64) -> LaneAck {
        LaneAck {
            generation: 1,
            upto,
            gap: false,
            evicted: false,
            verdicts: Vec::new(),
        }
    }

    /// When an ack goes alone, after so many bytes.
    fn set(ack: LaneAck, bytes: usize, is_hurried: bool) -> Option<Millis> {
        let mut due = DueAck::default();
        due.came(bytes);
        due.set(NOW, ack, is_hurried);
        due.alone_at()
    }

    #[test]
    fn one_that_says_nothing_urgent_waits() {
        assert_eq!(DueAck::default().alone_at(), None);
        assert_eq!(
            set(ack(1), LANE_BATCH_BYTES - 1, false),
            Some(NOW + WAIT_MS)
        );
        assert_eq!(set(ack(1), LANE_BATCH_BYTES, false), Some(NOW));
        assert_eq!(set(ack(1), 0, true), Some(NOW));
        let gap = LaneAck {
            gap: true,
            ..ack(0)
        };
        assert_eq!(set(gap, 0, false), Some(NOW));
        let refused = Verdict::Refused(ErrorCode::RecipientBusy);
        let refusal = LaneAck {
            verdicts: vec![(1, refused)],
            ..ack(1)
        };
        assert_eq!(set(refusal, 0, false), Some(NOW));
    }

    #[test]
    fn a_newer_one_does_not_put_it_off() {
        let mut due = DueAck::default();
        due.set(NOW, ack(1), false);
        due.set(NOW + WAIT_MS, ack(2), false);
        assert_eq!(due.alone_at(), Some(NOW + WAIT_MS));
        assert_eq!(due.take(), Some(ack(2)));
        assert_eq!((due.alone_at(), due.take()), (None, None));
        due.came(LANE_BATCH_BYTES - 1);
        due.set(NOW + 9, ack(3), false);
        assert_eq!(due.alone_at(), Some(NOW + 9 + WAIT_MS), "counted anew");
    }
}
