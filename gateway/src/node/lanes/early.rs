//! What a node sends before this one has seen it beat.
//!
//! A new node writes to the others as soon as it knows them; they see it beat a moment later. What it
//! sends meanwhile waits here, in its order: to drop it would cost a repetition by its lane, half a
//! second. A node that never beats is evicted, and its lane ends with all that waits.

use std::collections::VecDeque;

use protocol::lane::LaneBatch;

/// Bytes of batches that wait for one node to be seen; more are dropped, and sent again by its lane.
const EARLY_BYTES: usize = 256 * 1024;

/// The batches, oldest first.
#[derive(Debug, Default)]
pub(super) struct EarlyBatches {
    batches: VecDeque<LaneBatch>,
    bytes: usize,
    /// One found no room: what comes behind it is dropped too, for the order.
    is_full: bool,
}

impl EarlyBatches {
    /// Keeps a batch, if there is room.
    pub fn keep(&mut self, batch: LaneBatch) {
        let bytes = batch.bytes();
        self.is_full |= self.bytes + bytes > EARLY_BYTES;
        if !self.is_full {
            self.bytes += bytes;
            self.batches.push_back(batch);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// All of them; none is kept.
    pub fn take(&mut self) -> VecDeque<LaneBatch> {
        std::mem::take(self).batches
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::lane::BatchItem;

    use super::*;

    fn batch(first_seq: u64, bytes: usize) -> LaneBatch {
        LaneBatch {
            generation: 1,
            first_seq,
            seen: 0,
            items: vec![BatchItem {
                sequenced: true,
                envelope: Bytes::from(vec![0; bytes]),
            }],
        }
    }

    #[test]
    fn they_wait_in_their_order_and_not_without_bound() {
        let mut early = EarlyBatches::default();
        for first_seq in 1..=10 {
            early.keep(batch(first_seq, EARLY_BYTES / 8));
        }
        early.keep(batch(11, 1));
        let taken: Vec<u64> = early.take().iter().map(|it| it.first_seq).collect();
        assert!((6..=8).contains(&taken.len()), "{taken:?}");
        assert!(taken.is_sorted() && !taken.contains(&11) && early.is_empty());
        early.keep(batch(1, 1));
        assert!(!early.is_empty(), "there is room again");
    }
}
