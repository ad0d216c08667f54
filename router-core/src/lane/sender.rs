//! The sending end of a lane.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use protocol::lane::{BatchItem, LaneAck, LaneBatch, Packet, charge};
use protocol::limits::{LANE_BATCH_BYTES, LANE_DEADLINE_MS, LANE_VERDICTS_MAX};
use protocol::{BootId, TenantId};

use super::LaneStatus;
use super::accounts::{AccountNumber, LaneAccounts};
use super::parcel::{BestEffortStream, LaneOutcome, Parcel, ParcelOutcomes};
use super::queue::WaitingItem;
use super::retry::LaneRetry;
use super::turns::TurnQueue;
use super::window::LaneWindow;
use crate::env::Millis;
use crate::ids::HashKeys;

/// A parcel that has a number.
#[derive(Debug)]
struct SentParcel {
    parcel: Parcel,
    pushed_ms: Millis,
    account: AccountNumber,
}

/// What one node sends another.
///
/// After every call but the questions, [`take`](Self::take) says what to publish now, and
/// [`next_wakeup`](Self::next_wakeup) when [`wake`](Self::wake) is due.
#[derive(Debug)]
pub struct Sender {
    src: BootId,
    dst: BootId,
    generation: u64,
    window: LaneWindow,
    accounts: LaneAccounts,
    waiting: TurnQueue,
    /// Parcels `acked + 1` to `next_seq - 1`.
    unacked: VecDeque<SentParcel>,
    acked: u64,
    next_seq: u64,
    /// The next number to publish: below `next_seq` while a lost tail is repeated.
    cursor: u64,
    /// How many parcels were pushed when; the first is the oldest.
    ages: BTreeMap<Millis, usize>,
    /// A PUBLISH is unanswered.
    publishing: bool,
    retry: LaneRetry,
    /// Best-effort bytes published since the last ack, and since when.
    unheard: (usize, Millis),
    resends: u64,
}

impl Sender {
    /// The lane from this node, `src`, to `dst`, with the largest window. The keys should be random
    /// per process.
    pub fn new(src: BootId, dst: BootId, keys: HashKeys) -> Self {
        Self {
            src,
            dst,
            generation: 1,
            window: LaneWindow::new(),
            accounts: LaneAccounts::new(keys),
            waiting: TurnQueue::default(),
            unacked: VecDeque::new(),
            acked: 0,
            next_seq: 1,
            cursor: 1,
            ages: BTreeMap::new(),
            publishing: false,
            retry: LaneRetry::default(),
            unheard: (0, 0),
            resends: 0,
        }
    }

    /// Sets the window, as [`window_bytes`](super::window_bytes) says. What is in the lane stays.
    pub fn set_window(&mut self, bytes: usize) {
        self.window.resize(bytes);
    }

    /// A packet of this lane, with an ack of the lane in the other direction.
    pub fn packet(&self, data: Option<LaneBatch>, ack: Option<LaneAck>) -> Packet {
        Packet {
            src: self.src,
            dst: self.dst,
            data,
            ack,
        }
    }

    /// Accepts a parcel. Errors: the parcel, for the caller to settle, if the window or the tenant's
    /// quarter of it is full.
    pub fn push(&mut self, now_ms: Millis, parcel: Parcel) -> Result<(), Parcel> {
        let account = self.accounts.of(parcel.tenant());
        let held = &mut self.accounts[account].held;
        if !self.window.enter(held, charge(&parcel.bytes)) {
            self.accounts.settle(account);
            return Err(parcel);
        }
        *self.ages.entry(now_ms).or_default() += 1;
        let pushed_ms = now_ms;
        let waiting = WaitingItem::Parcel { parcel, pushed_ms };
        self.waiting.push(&mut self.accounts, account, waiting);
        Ok(())
    }

    /// Accepts something best effort, in the place of one of the same stream that waits. False if it
    /// was dropped, because the window or the tenant's quarter is full; the older one stays then.
    pub fn push_best_effort(
        &mut self,
        tenant: &TenantId,
        stream: BestEffortStream,
        bytes: Bytes,
    ) -> bool {
        let number = self.accounts.of(tenant);
        let account = &mut self.accounts[number];
        let older = account.queue.of_stream(&stream).map(charge);
        let held = &mut account.held;
        let room = self
            .window
            .exchange(held, older.unwrap_or(0), charge(&bytes));
        match (room, older) {
            (false, _) => self.accounts.settle(number),
            (true, Some(_)) => self.waiting.replace(&mut account.queue, &stream, bytes),
            (true, None) => {
                let waiting = WaitingItem::BestEffort { stream, bytes };
                self.waiting.push(&mut self.accounts, number, waiting);
            }
        }
        room
    }

    /// Gives back what an account held for something.
    fn leave(&mut self, account: AccountNumber, charge: usize) {
        self.window.leave(&mut self.accounts[account].held, charge);
        self.accounts.settle(account);
    }

    /// What to PUBLISH now; report its end to [`published`](Self::published). `None` while one is
    /// unanswered or nothing is due.
    pub fn take(&mut self, now_ms: Millis) -> Option<LaneBatch> {
        if self.publishing || self.retry.held {
            return None;
        }
        let again = std::mem::take(&mut self.retry.again);
        let first_seq = if again { self.acked + 1 } else { self.cursor };
        let mut items = self.numbered(first_seq);
        let mut next = first_seq + items.len() as u64;
        self.resends += items.len() as u64;
        if next == self.next_seq {
            self.fill(now_ms, &mut items);
            next = self.next_seq;
        }
        if items.is_empty() {
            return None;
        }
        self.publishing = true;
        self.cursor = self.cursor.max(next);
        if !self.unacked.is_empty() {
            self.retry.start(now_ms);
        }
        Some(LaneBatch {
            generation: self.generation,
            first_seq,
            seen: self.acked,
            items,
        })
    }

    /// A batch of what has numbers from `first_seq` on.
    fn numbered(&self, first_seq: u64) -> Vec<BatchItem> {
        let mut room = LANE_BATCH_BYTES;
        let mut items = Vec::new();
        for sent in self.unacked.range((first_seq - self.acked - 1) as usize..) {
            let charge = charge(&sent.parcel.bytes);
            if charge > room && !items.is_empty() {
                break;
            }
            room = room.saturating_sub(charge);
            items.push(BatchItem {
                sequenced: true,
                envelope: sent.parcel.bytes.clone(),
            });
        }
        items
    }

    /// Fills the batch from those that wait, in turns, and numbers them.
    fn fill(&mut self, now_ms: Millis, items: &mut Vec<BatchItem>) {
        let taken: usize = items.iter().map(|item| charge(&item.envelope)).sum();
        let mut room = LANE_BATCH_BYTES.saturating_sub(taken);
        loop {
            let limit = if items.is_empty() { usize::MAX } else { room };
            match self.waiting.pop(&mut self.accounts, limit) {
                None => return,
                Some((account, WaitingItem::Parcel { parcel, pushed_ms })) => {
                    let envelope = parcel.bytes.clone();
                    room = room.saturating_sub(charge(&envelope));
                    self.unacked.push_back(SentParcel {
                        parcel,
                        pushed_ms,
                        account,
                    });
                    self.next_seq += 1;
                    items.push(BatchItem {
                        sequenced: true,
                        envelope,
                    });
                }
                Some((account, WaitingItem::BestEffort { bytes, .. })) => {
                    let charge = charge(&bytes);
                    self.leave(account, charge);
                    if self.may_fly(now_ms, charge) {
                        room = room.saturating_sub(charge);
                        items.push(BatchItem {
                            sequenced: false,
                            envelope: bytes,
                        });
                    }
                }
            }
        }
    }

    /// Nothing acknowledges best effort by number, so it is counted from ack to ack: else a stream of
    /// partials would fill what Redis keeps for a slow subscriber. The receiver acks 64 KiB of it;
    /// if that ack is lost, the deadline's time has to do.
    fn may_fly(&mut self, now_ms: Millis, charge: usize) -> bool {
        let (bytes, since_ms) = self.unheard;
        if bytes == 0 || now_ms >= since_ms + LANE_DEADLINE_MS {
            self.unheard = (0, now_ms);
        }
        let most = self.window.share().max(2 * LANE_BATCH_BYTES);
        let may = self.unheard.0 + charge <= most || self.unheard.0 == 0;
        if may {
            self.unheard.0 += charge;
        }
        may
    }

    /// Redis answered the PUBLISH, or it failed. A failed one may have been executed: what it carried
    /// counts as published, and is repeated when the timer says so.
    pub fn published(&mut self, now_ms: Millis, result: Result<(), ()>) {
        self.publishing = false;
        if result.is_err() {
            self.retry.held = true;
            self.retry.start(now_ms);
        } else if self.unacked.is_empty() {
            self.retry.tries = 0;
        }
    }

    /// An ack of this lane: settles what it decides. One of another generation, or above what was
    /// sent, is ignored whole. One that says `evicted` fails the rest: nobody will deliver it.
    pub fn acked(&mut self, now_ms: Millis, ack: &LaneAck, out: &mut ParcelOutcomes) {
        if ack.generation != self.generation || ack.upto >= self.next_seq {
            return;
        }
        self.unheard.0 = 0;
        let progress = ack.upto > self.acked;
        self.settle(ack, out);
        if ack.evicted {
            return self.fail(out);
        }
        self.cursor = self.cursor.max(self.acked + 1);
        if progress {
            self.on_progress(now_ms, ack);
        }
        if ack.gap && ack.upto == self.acked && self.retry.gap < Some(ack.upto) {
            self.retry.gap = Some(ack.upto);
            self.cursor = self.acked + 1;
        }
    }

    fn settle(&mut self, ack: &LaneAck, out: &mut ParcelOutcomes) {
        let verdicts: BTreeMap<u64, _> = ack.verdicts.iter().copied().collect();
        out.reserve(ack.upto.saturating_sub(self.acked) as usize);
        while self.acked < ack.upto {
            let Some(sent) = self.unacked.pop_front() else {
                return;
            };
            self.acked += 1;
            self.leave(sent.account, charge(&sent.parcel.bytes));
            self.outgrow(sent.pushed_ms);
            let verdict = verdicts.get(&self.acked);
            let settled = verdict.map_or(LaneOutcome::Delivered, |it| LaneOutcome::Verdict(*it));
            out.push((sent.parcel, settled));
        }
    }

    fn outgrow(&mut self, pushed_ms: Millis) {
        if let Some(count) = self.ages.get_mut(&pushed_ms) {
            *count -= 1;
            if *count == 0 {
                self.ages.remove(&pushed_ms);
            }
        }
    }

    fn on_progress(&mut self, now_ms: Millis, ack: &LaneAck) {
        self.retry.progress();
        if self.unacked.is_empty() {
            return;
        }
        self.retry.start(now_ms);
        // An ack that is full of verdicts may have been cut: a repetition brings the rest.
        let cut = ack.verdicts.len() >= LANE_VERDICTS_MAX;
        self.retry.again = cut || self.acked + 1 < self.retry.suspect;
    }

    /// Time has passed: repeats the first unacknowledged batch, or gives up at the deadline.
    pub fn wake(&mut self, now_ms: Millis, out: &mut ParcelOutcomes) {
        if self
            .oldest()
            .is_some_and(|at| at + LANE_DEADLINE_MS <= now_ms)
        {
            self.fail(out);
        }
        if !self.retry.fires(now_ms) || self.unacked.is_empty() {
            return;
        }
        self.retry.start(now_ms);
        // While Redis owes an answer, silence is no loss.
        if !self.publishing {
            self.retry.again = true;
            self.retry.suspect = self.retry.suspect.max(self.cursor);
        }
    }

    /// Redis is back after an outage: what waits for a timer need not wait any longer. To be followed
    /// by [`wake`](Self::wake).
    pub fn resume(&mut self, now_ms: Millis) {
        self.retry.resume(now_ms);
    }

    /// Fails everything, because an end is dead or the deadline has passed, and begins a new
    /// generation, so that nothing of the old one is acked or delivered behind it. A PUBLISH under
    /// way, and the pause after a failed one, outlast it.
    pub fn fail(&mut self, out: &mut ParcelOutcomes) {
        for sent in std::mem::take(&mut self.unacked) {
            self.leave(sent.account, charge(&sent.parcel.bytes));
            out.push((sent.parcel, LaneOutcome::Unknown));
        }
        while let Some((account, waiting)) = self.waiting.pop(&mut self.accounts, usize::MAX) {
            self.leave(account, charge(waiting.bytes()));
            if let WaitingItem::Parcel { parcel, .. } = waiting {
                out.push((parcel, LaneOutcome::Unsent));
            }
        }
        self.ages.clear();
        self.generation += 1;
        self.acked = 0;
        self.next_seq = 1;
        self.cursor = 1;
        self.retry.begin();
    }

    /// When [`wake`](Self::wake) is due.
    pub fn next_wakeup(&self) -> Option<Millis> {
        let deadline = self.oldest().map(|at| at + LANE_DEADLINE_MS);
        [deadline, self.retry.at_ms].into_iter().flatten().min()
    }

    fn oldest(&self) -> Option<Millis> {
        self.ages.first_key_value().map(|(at, _)| *at)
    }

    /// The lane as operators see it.
    pub fn status(&self, now_ms: Millis) -> LaneStatus {
        LaneStatus {
            generation: self.generation,
            unacked_bytes: self.window.bytes() - self.waiting.bytes(),
            waiting_bytes: self.waiting.bytes(),
            unacked: self.unacked.len(),
            resends: self.resends,
            oldest_ms: self.oldest().map(|at| now_ms.saturating_sub(at)),
        }
    }
}

#[cfg(test)]
mod tests;
