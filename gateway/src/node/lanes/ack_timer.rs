//! How long a batch waits for its acknowledgement: of one batch at a time, so that a lane keeps one time and
//! not one for each batch under way.

use std::time::{Duration, Instant};

use protocol::lane::{LaneAck, LaneBatch};

/// Measures one batch after the other.
#[derive(Debug, Default)]
pub(super) struct AckTimer(Option<TimedBatch>);

#[derive(Debug)]
struct TimedBatch {
    generation: u64,
    /// The number of its last message.
    last_seq: u64,
    since: Instant,
}

impl AckTimer {
    /// A batch is published. It is measured if none is, or if the lane has failed since.
    pub fn published(&mut self, batch: &LaneBatch) {
        let messages = batch.items.iter().filter(|item| item.sequenced).count() as u64;
        let is_measuring = self
            .0
            .as_ref()
            .is_some_and(|timed| timed.generation == batch.generation);
        if messages > 0 && !is_measuring {
            self.0 = Some(TimedBatch {
                generation: batch.generation,
                last_seq: batch.first_seq + messages - 1,
                since: Instant::now(),
            });
        }
    }

    /// An ack came. Returns the time of the batch that is measured, if it acknowledges that.
    pub fn acked(&mut self, ack: &LaneAck) -> Option<Duration> {
        let timed = self
            .0
            .take_if(|timed| timed.generation == ack.generation && timed.last_seq <= ack.upto)?;
        Some(timed.since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::lane::BatchItem;

    use super::*;

    fn batch(generation: u64, first_seq: u64, sequenced: &[bool]) -> LaneBatch {
        let item = |sequenced: &bool| BatchItem {
            sequenced: *sequenced,
            envelope: Bytes::new(),
        };
        LaneBatch {
            generation,
            first_seq,
            seen: 0,
            items: sequenced.iter().map(item).collect(),
        }
    }

    fn ack(generation: u64, upto: u64) -> LaneAck {
        LaneAck {
            generation,
            upto,
            gap: false,
            evicted: false,
            verdicts: Vec::new(),
        }
    }

    #[test]
    fn a_batch_is_measured_until_its_last_message_is_acknowledged() {
        let mut timer = AckTimer::default();
        timer.published(&batch(1, 5, &[true, false, true]));
        timer.published(&batch(1, 7, &[true]));
        assert_eq!(timer.acked(&ack(1, 5)), None);
        assert!(timer.acked(&ack(1, 6)).is_some());
        assert_eq!(timer.acked(&ack(1, 7)), None, "the second is not measured");
    }

    #[test]
    fn a_batch_of_best_effort_alone_is_not_measured() {
        let mut timer = AckTimer::default();
        timer.published(&batch(1, 5, &[false]));
        assert_eq!(timer.acked(&ack(1, 9)), None);
    }

    #[test]
    fn a_lane_that_failed_measures_the_next_batch() {
        let mut timer = AckTimer::default();
        timer.published(&batch(1, 5, &[true]));
        timer.published(&batch(2, 1, &[true]));
        assert_eq!(timer.acked(&ack(1, 5)), None);
        assert!(timer.acked(&ack(2, 1)).is_some());
    }
}
