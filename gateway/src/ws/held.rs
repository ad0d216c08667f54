//! What the frames of one connection take, of its own limits and of budgets that others share, and since
//! when there is no room for more. Pure: no I/O, no clock.
//!
//! | no room | it is then |
//! | --- | --- |
//! | in its own limits, for 10 s | slow |
//! | its peer acknowledges nothing of what it has been sent, for 10 s | slow |
//! | in a budget that it shares, for 10 s | starved |

use std::num::NonZeroU64;

use protocol::limits::SLOW_CONSUMER_MS;

use super::budget::{Budget, BudgetCharge};
use super::outgoing::{OutgoingFrame, QueueClass};
use super::unacked::{KernelAsk, KernelHeld, UnackedBytes};

/// How much may wait for one connection.
#[derive(Debug, Clone)]
pub struct WriteLimits {
    /// Bytes of payload, those being written included.
    pub bytes: usize,
    /// Frames, those being written included.
    pub frames: u32,
    /// Charged with the bytes; the tenant's, whose parent is the node's.
    pub budget: Budget,
}

/// What a look at a connection finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SocketLook {
    /// Its peer does not read: it is to be closed with 4408.
    pub is_slow: bool,
    /// A budget that it shares with others has refused its frames for 10 s.
    pub is_starved: bool,
    /// There is room again for presence that was refused.
    pub(super) has_room: bool,
    /// What the kernel is to be asked about it.
    pub ask: Option<KernelAsk>,
}

/// Counts the frames that wait for one connection or are being written to it.
#[derive(Debug)]
pub(super) struct HeldFrames {
    bytes: usize,
    bytes_max: usize,
    frames: u32,
    frames_max: u32,
    /// What the kernel has of earlier ones.
    unacked: UnackedBytes,
    /// Charged with both.
    charge: BudgetCharge,
    full: SinceMs,
    /// A budget that others share has refused what had room here.
    starved: SinceMs,
    /// Whether presence was refused, so that its tenant waits to hear of room.
    wants_room: bool,
}

/// Since when something is so, milliseconds; absent: it is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct SinceMs(Option<NonZeroU64>);

impl SinceMs {
    /// It is so now; if it was before, it still counts from then.
    fn begin(&mut self, now_ms: u64) {
        self.0 = self.0.or(NonZeroU64::new(now_ms.max(1)));
    }

    fn end(&mut self) {
        self.0 = None;
    }

    fn is_for(self, limit_ms: u64, now_ms: u64) -> bool {
        let is_long = |since_ms: NonZeroU64| now_ms.saturating_sub(since_ms.get()) >= limit_ms;
        self.0.is_some_and(is_long)
    }

    /// So much time does not count.
    fn forgive(&mut self, ms: u64) {
        self.0 = self.0.map(|since_ms| since_ms.saturating_add(ms));
    }
}

impl HeldFrames {
    pub(super) fn new(limits: WriteLimits) -> Self {
        Self {
            bytes: 0,
            bytes_max: limits.bytes,
            frames: 0,
            frames_max: limits.frames,
            unacked: UnackedBytes::default(),
            charge: BudgetCharge::new(limits.budget),
            full: SinceMs::default(),
            starved: SinceMs::default(),
            wants_room: false,
        }
    }

    /// Changes the limits and moves what waits to the new budget; false: that one has no room.
    pub(super) fn set_limits(&mut self, limits: WriteLimits) -> bool {
        let mut charge = BudgetCharge::new(limits.budget);
        if !charge.set(self.charge.bytes()) {
            return false;
        }
        self.charge = charge;
        self.bytes_max = limits.bytes;
        self.frames_max = limits.frames;
        true
    }

    /// Counts one more frame; false, and unchanged: there is no room for it.
    pub(super) fn take(&mut self, frame: &OutgoingFrame) -> bool {
        let total = self.bytes + frame.payload.len();
        let has_room = self.frames < self.frames_max && total <= self.bytes_max;
        let taken = has_room && self.charge(total, &frame.class);
        self.frames += u32::from(taken);
        taken
    }

    /// Counts one frame in place of another; false, and unchanged: there is no room for it.
    pub(super) fn replace(&mut self, older: &OutgoingFrame, newer: &OutgoingFrame) -> bool {
        let total = self.bytes - older.payload.len() + newer.payload.len();
        total <= self.bytes_max && self.charge(total, &newer.class)
    }

    /// Makes the bytes of all frames so many, for a frame of this class; false: a budget has not that
    /// much left. Answers find an eighth of it that nothing else takes: who asks is closed if there
    /// is no room to answer, and others' slow readers are no reason for that.
    fn charge(&mut self, bytes: usize, class: &QueueClass) -> bool {
        let total = (bytes + self.unacked.charge()) as u64;
        let taken = match class {
            QueueClass::Answer => self.charge.set(total),
            QueueClass::Message(_) | QueueClass::Partial(_) | QueueClass::Presence => {
                self.charge.set_sparing(total)
            }
        };
        if taken {
            self.bytes = bytes;
            self.starved.end();
        }
        taken
    }

    /// Notes that a frame was refused. A tenant or node without room is not this connection's fault:
    /// only its own limits count.
    pub(super) fn refuse(&mut self, frame: &OutgoingFrame, now_ms: u64) {
        let is_full =
            self.frames >= self.frames_max || self.bytes + frame.payload.len() > self.bytes_max;
        match is_full {
            true => self.full.begin(now_ms),
            false => self.starved.begin(now_ms),
        }
        self.wants_room |= frame.class == QueueClass::Presence;
    }

    /// Gives back frames that were written or dropped.
    pub(super) fn give(&mut self, frames: usize, bytes: usize) {
        // No more than were taken, and those are counted in 32 bits.
        self.frames -= frames as u32;
        self.bytes -= bytes;
        // What the kernel took meanwhile is there, whether the budget has room for it or not.
        self.charge
            .set_anyway((self.bytes + self.unacked.charge()) as u64);
        if self.is_half_empty() {
            self.full.end();
        }
    }

    /// Gives back all, and asks the kernel no more.
    pub(super) fn clear(&mut self) {
        (self.frames, self.bytes) = (0, 0);
        self.unacked = UnackedBytes::default();
        self.charge.set(0);
    }

    fn is_half_empty(&self) -> bool {
        self.frames <= self.frames_max / 2 && self.bytes <= self.bytes_max / 2
    }

    /// Whether presence was refused and there is room for it again; says so once.
    pub(super) fn take_room(&mut self) -> bool {
        let has_room = self.wants_room && self.is_half_empty() && self.budget().has_room();
        self.wants_room &= !has_room;
        has_room
    }

    /// Counts bytes that the socket took.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.unacked.wrote(bytes);
    }

    /// From now on the kernel is asked what it holds of the socket.
    pub(super) fn watch_kernel(&mut self) {
        self.unacked.begin();
    }

    /// Takes what the kernel holds.
    pub(super) fn kernel_told(&mut self, asked: KernelAsk, held: Option<KernelHeld>, now_ms: u64) {
        self.unacked.told(asked, held, now_ms);
        self.give(0, 0);
    }

    /// Memory of the kernel that is charged, bytes.
    pub(super) fn kernel_bytes(&self) -> usize {
        self.unacked.charge()
    }

    /// Looks after it, a few times a second; see [`OutboundQueue::look`](super::outbound_queue::Queue::look).
    pub(super) fn look(&mut self, now_ms: u64, paused_ms: u64) -> SocketLook {
        if paused_ms > 0 {
            self.full.forgive(paused_ms);
            self.starved.forgive(paused_ms);
            self.unacked.forgive(paused_ms);
        }
        let is_tight = !self.budget().has_half();
        let limit_ms = SLOW_CONSUMER_MS;
        let is_stalled = self
            .unacked
            .is_stalled(self.bytes, now_ms, limit_ms, is_tight);
        if !is_tight {
            self.starved.end();
        }
        SocketLook {
            is_slow: is_stalled || self.is_overdue(now_ms, limit_ms),
            is_starved: self.starved.is_for(limit_ms, now_ms),
            has_room: self.take_room(),
            ask: self.unacked.ask(now_ms),
        }
    }

    /// Whether nothing waits, here or in the kernel, and nobody was refused.
    pub(super) fn is_quiet(&self) -> bool {
        self.frames == 0
            && self.unacked.is_known()
            && self.full == SinceMs::default()
            && self.starved == SinceMs::default()
            && !self.wants_room
    }

    /// Whether its own limits have had no room for `limit_ms`.
    pub(super) fn is_overdue(&self, now_ms: u64, limit_ms: u64) -> bool {
        self.full.is_for(limit_ms, now_ms)
    }

    /// Since when its own limits have no room: from the first refusal until they are half empty.
    pub(super) fn full_since_ms(&self) -> Option<u64> {
        self.full.0.map(NonZeroU64::get)
    }

    /// What the bytes are taken from.
    pub(super) fn budget(&self) -> &Budget {
        self.charge.budget()
    }

    /// Bytes that wait or are being written.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frames that wait or are being written.
    pub(super) fn frames(&self) -> usize {
        self.frames as usize
    }
}
