//! The receiving end of a lane.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::lane::{LaneAck, LaneBatch, Verdict, charge};
use protocol::limits::{LANE_BATCH_BYTES, LANE_UNACKED_MAX, LANE_VERDICTS_MAX};

use crate::check;
use crate::invariant::Invariant;

/// What one node hears from another.
///
/// One task a source calls it: [`arrived`](Self::arrived), then [`decided`](Self::decided) for every
/// numbered item in order, then [`ack`](Self::ack).
///
/// The default one has heard nothing.
#[derive(Debug, Default)]
pub struct Receiver {
    generation: u64,
    /// The last number that was handed out; what is not above is never handed out again.
    handed: u64,
    /// The last number that was decided.
    upto: u64,
    /// The last of our acks that the sender says it has processed.
    seen: u64,
    /// Every verdict above `seen`: a lost ack must not turn a refusal into "delivered".
    verdicts: VecDeque<(u64, Verdict)>,
    /// What follows `handed` is missing: something behind it came.
    gap: bool,
    /// An ack has to leave.
    due: bool,
    /// Best-effort bytes since the last ack: the sender waits for one.
    best_effort_bytes: usize,
}

impl Receiver {
    /// The envelopes to handle now, in this order, each with its number or none if it is best
    /// effort. Empty for a batch that comes too early, late or twice.
    pub fn arrived(&mut self, batch: LaneBatch) -> Vec<(Option<u64>, Bytes)> {
        if batch.generation < self.generation {
            return Vec::new();
        }
        if batch.generation > self.generation {
            *self = Self {
                generation: batch.generation,
                ..Self::default()
            };
        }
        self.forget(batch.seen);
        let numbered = batch.items.iter().filter(|item| item.sequenced).count() as u64;
        let is_early = batch.first_seq > self.handed + 1;
        self.due |= numbered > 0 || is_early;
        if is_early {
            self.gap = true;
            return Vec::new();
        }
        if numbered > 0 && batch.first_seq + numbered <= self.handed + 1 {
            return Vec::new();
        }
        self.hand_out(batch)
    }

    fn forget(&mut self, seen: u64) {
        self.seen = self.seen.max(seen.min(self.upto));
        while self
            .verdicts
            .front()
            .is_some_and(|(seq, _)| *seq <= self.seen)
        {
            self.verdicts.pop_front();
        }
    }

    /// The part of a batch that continues what was handed out. Something best effort passes only
    /// at its own place: all numbers before it are handed out and none behind it, so that no
    /// partial comes after its final message.
    fn hand_out(&mut self, batch: LaneBatch) -> Vec<(Option<u64>, Bytes)> {
        let mut next = batch.first_seq;
        let mut handed = Vec::with_capacity(batch.items.len());
        for item in batch.items {
            let in_place = next == self.handed + 1;
            let number = item.sequenced.then_some(next);
            next += u64::from(item.sequenced);
            if !in_place {
                continue;
            }
            if let Some(seq) = number {
                if seq > self.seen + LANE_UNACKED_MAX {
                    break;
                }
                self.handed = seq;
                self.gap = false;
            } else {
                self.best_effort_bytes += charge(&item.envelope);
            }
            handed.push((number, item.envelope));
        }
        self.due |= self.best_effort_bytes >= LANE_BATCH_BYTES;
        handed
    }

    /// What became of the numbered envelope `seq`: no verdict = delivered. Once each, in order.
    pub fn decided(&mut self, seq: u64, verdict: Option<Verdict>) {
        let in_turn = seq == self.upto + 1 && seq <= self.handed;
        check!(Invariant::OneAnswer, in_turn, "{seq} after {}", self.upto);
        if !in_turn {
            return;
        }
        self.upto = seq;
        self.verdicts.extend(verdict.map(|verdict| (seq, verdict)));
    }

    /// Takes the ack that is due after a batch, if one is: messages call for it, and so do 64 KiB of
    /// best effort. With too many verdicts for one it ends before the first that it
    /// cannot carry; the sender asks for the rest by repeating.
    pub fn ack(&mut self) -> Option<LaneAck> {
        if !std::mem::take(&mut self.due) {
            return None;
        }
        self.best_effort_bytes = 0;
        let cut = self.verdicts.get(LANE_VERDICTS_MAX);
        let verdicts = self.verdicts.iter().take(LANE_VERDICTS_MAX);
        Some(LaneAck {
            generation: self.generation,
            upto: cut.map_or(self.upto, |(seq, _)| seq - 1),
            gap: self.gap && cut.is_none(),
            evicted: false,
            verdicts: verdicts.copied().collect(),
        })
    }
}

#[cfg(test)]
mod tests;
