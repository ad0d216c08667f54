//! What waits to be written to one connection, and the verdicts about it. Pure: no I/O, no clock.
//!
//! ```text
//! control  ping, pong          at most 16; overtakes data
//! data     finished frames     bounded in bytes and frames, in order; partials give way
//! close    one Close frame     after all data; from then on every push is `Gone`
//! ```

use std::collections::VecDeque;

use bytes::Bytes;
use fastwebsockets::OpCode;
use protocol::limits::SLOW_CONSUMER_MS;

use super::budget::{Budget, Charge};
use super::outgoing::{Batch, Class, Ended, Outgoing, Push, StreamKey};
use super::stream::SocketEnds;
use super::unacked::{KernelAsk, KernelHeld, Unacked};

/// Most pings and pongs that wait; when full, the newest replaces the newest that waits.
const CONTROL_FRAMES_MAX: usize = 16;
/// Most frames handed to one write: each is at most two slices, and a system takes 1,024 of them.
const BATCH_FRAMES_MAX: usize = 64;
/// Bytes after which a batch is not filled further: control frames and newer partials get a turn.
const BATCH_BYTES: usize = 256 * 1024;

/// How much may wait for one connection.
#[derive(Debug, Clone)]
pub struct WriteLimits {
    /// Bytes of payload, those being written included.
    pub bytes: usize,
    /// Frames, those being written included.
    pub frames: usize,
    /// Charged with the bytes; the tenant's, whose parent is the node's.
    pub budget: Budget,
}

/// Everything that waits for one connection.
#[derive(Debug)]
pub(super) struct Queue {
    control: VecDeque<(OpCode, Bytes)>,
    data: VecDeque<Outgoing>,
    /// Partials in `data`; 0 spares the search for them.
    partials: usize,
    /// Frames that wait or are being written.
    frames: usize,
    /// The bytes of those frames.
    bytes: usize,
    /// What the kernel has of earlier ones.
    unacked: Unacked,
    /// Charged with both.
    held: Charge,
    bytes_max: usize,
    frames_max: usize,
    full_since_ms: Option<u64>,
    /// Since when a budget that others share has refused what had room here; 0 = it has not.
    starved_since_ms: u64,
    /// Whether presence was refused, so that its tenant waits to hear of room.
    wants_room: bool,
    end: End,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// The Close frame waits behind the data.
    Closing(Ended),
    /// The Close frame has been handed to the writer.
    Closed(Ended),
    /// Nothing can be written any more.
    Dead(Ended),
}

impl Queue {
    pub(super) fn new(limits: WriteLimits) -> Self {
        Self {
            control: VecDeque::new(),
            data: VecDeque::new(),
            partials: 0,
            frames: 0,
            bytes: 0,
            unacked: Unacked::default(),
            held: Charge::new(limits.budget),
            bytes_max: limits.bytes,
            frames_max: limits.frames,
            full_since_ms: None,
            starved_since_ms: 0,
            wants_room: false,
            end: End::Open,
        }
    }

    /// Changes the limits and moves what waits to the new budget; false: that one has no room.
    pub(super) fn set_limits(&mut self, limits: WriteLimits) -> bool {
        let mut held = Charge::new(limits.budget);
        if !held.set(self.held.bytes()) {
            return false;
        }
        self.held = held;
        self.bytes_max = limits.bytes;
        self.frames_max = limits.frames;
        true
    }

    pub(super) fn push(&mut self, frame: Outgoing, now_ms: u64) -> Push {
        if self.end != End::Open {
            return Push::Gone;
        }
        match &frame.class {
            Class::Partial(key) => {
                if let Some(at) = self.waiting_partial(key) {
                    return self.replace(at, frame, now_ms);
                }
            }
            Class::Message(Some(key)) => {
                if let Some(at) = self.waiting_partial(key) {
                    self.remove(at);
                }
            }
            Class::Answer | Class::Message(None) | Class::Presence => {}
        }
        if !self.take(&frame) {
            self.drop_partials();
            if !self.take(&frame) {
                return self.refuse(&frame, now_ms);
            }
        }
        self.partials += usize::from(frame.is_partial());
        self.data.push_back(frame);
        Push::Queued
    }

    /// Puts a newer partial in the place of one that waits; refused, the older one stays.
    fn replace(&mut self, at: usize, newer: Outgoing, now_ms: u64) -> Push {
        let total = self.bytes - self.data[at].payload.len() + newer.payload.len();
        if total > self.bytes_max || !self.charge(total, &newer.class) {
            return self.refuse(&newer, now_ms);
        }
        self.data[at] = newer;
        Push::Queued
    }

    fn take(&mut self, frame: &Outgoing) -> bool {
        let total = self.bytes + frame.payload.len();
        let has_room = self.frames < self.frames_max && total <= self.bytes_max;
        let taken = has_room && self.charge(total, &frame.class);
        self.frames += usize::from(taken);
        taken
    }

    /// Makes the bytes of all frames so many, for a frame of this class; false: a budget has not that
    /// much left. Answers find an eighth of it that nothing else takes: who asks is closed if there
    /// is no room to answer, and others' slow readers are no reason for that.
    fn charge(&mut self, bytes: usize, class: &Class) -> bool {
        let total = (bytes + self.unacked.charge()) as u64;
        let taken = match class {
            Class::Answer => self.held.set(total),
            Class::Message(_) | Class::Partial(_) | Class::Presence => self.held.set_sparing(total),
        };
        if taken {
            self.bytes = bytes;
            self.starved_since_ms = 0;
        }
        taken
    }

    /// A tenant or node without room is not this connection's fault: only its own limits count.
    fn refuse(&mut self, frame: &Outgoing, now_ms: u64) -> Push {
        let is_full =
            self.frames >= self.frames_max || self.bytes + frame.payload.len() > self.bytes_max;
        if is_full {
            self.full_since_ms.get_or_insert(now_ms);
        } else if self.starved_since_ms == 0 {
            self.starved_since_ms = now_ms;
        }
        self.wants_room |= frame.class == Class::Presence;
        Push::Full
    }

    fn give(&mut self, frames: usize, bytes: usize) {
        self.frames -= frames;
        self.bytes -= bytes;
        // What the kernel took meanwhile is there, whether the budget has room for it or not.
        self.held
            .set_anyway((self.bytes + self.unacked.charge()) as u64);
        if self.is_half_empty() {
            self.full_since_ms = None;
        }
    }

    fn is_half_empty(&self) -> bool {
        self.frames <= self.frames_max / 2 && self.bytes <= self.bytes_max / 2
    }

    /// Whether presence was refused and there is room for it again; says so once.
    pub(super) fn take_room(&mut self) -> bool {
        let has_room = self.wants_room && self.is_half_empty() && self.held.budget().has_room();
        self.wants_room &= !has_room;
        has_room
    }

    fn waiting_partial(&self, key: &StreamKey) -> Option<usize> {
        if self.partials == 0 {
            return None;
        }
        self.data
            .iter()
            .rposition(|frame| matches!(&frame.class, Class::Partial(k) if k == key))
    }

    fn remove(&mut self, at: usize) {
        if let Some(frame) = self.data.remove(at) {
            self.partials -= usize::from(frame.is_partial());
            self.give(1, frame.payload.len());
        }
    }

    fn drop_partials(&mut self) {
        if self.partials == 0 {
            return;
        }
        let (mut frames, mut bytes) = (0, 0);
        self.data.retain(|frame| {
            let dropped = frame.is_partial();
            frames += usize::from(dropped);
            bytes += if dropped { frame.payload.len() } else { 0 };
            !dropped
        });
        self.partials = 0;
        self.give(frames, bytes);
    }

    /// Queues a ping or pong, in order, ahead of all data.
    pub(super) fn push_control(&mut self, opcode: OpCode, payload: Bytes) {
        if self.end != End::Open {
            return;
        }
        if self.control.len() == CONTROL_FRAMES_MAX {
            self.control.pop_back();
        }
        self.control.push_back((opcode, payload));
    }

    /// Ends the queue: what waits is still written, then the Close frame. The first reason stays.
    pub(super) fn close(&mut self, why: Ended) {
        if self.end == End::Open {
            self.end = End::Closing(why);
        }
    }

    /// Drops everything; nothing can be written any more.
    pub(super) fn kill(&mut self) {
        self.end = End::Dead(self.ended());
        self.control = VecDeque::new();
        self.data = VecDeque::new();
        (self.partials, self.frames, self.bytes) = (0, 0, 0);
        self.held.set(0);
    }

    /// Hands out what is written next; nothing, if nothing waits. An idle connection keeps no room
    /// for frames.
    pub(super) fn next_batch(&mut self) -> Batch {
        let control = std::mem::take(&mut self.control);
        let data = match self.data.len() <= BATCH_FRAMES_MAX && self.bytes <= BATCH_BYTES {
            true => std::mem::take(&mut self.data),
            false => self.some(),
        };
        match self.data.is_empty() {
            true => self.partials = 0,
            false => self.partials -= data.iter().filter(|frame| frame.is_partial()).count(),
        }
        let mut close = None;
        if self.data.is_empty()
            && let End::Closing(why) = self.end
        {
            self.end = End::Closed(why);
            close = Some(why);
        }
        Batch {
            control,
            data,
            close,
        }
    }

    fn some(&mut self) -> VecDeque<Outgoing> {
        let (mut some, mut bytes) = (VecDeque::new(), 0);
        while some.len() < BATCH_FRAMES_MAX
            && bytes < BATCH_BYTES
            && let Some(frame) = self.data.pop_front()
        {
            bytes += frame.payload.len();
            some.push_back(frame);
        }
        some
    }

    /// Counts bytes that the socket took, and data frames that were written to the last byte. Says
    /// whether there is room again for presence that was refused.
    pub(super) fn written(&mut self, written: usize, frames: usize, bytes: usize) -> bool {
        self.unacked.wrote(written);
        if !matches!(self.end, End::Dead(_)) {
            self.give(frames, bytes);
        }
        self.wants_room && self.take_room()
    }

    /// From now on the kernel is asked what it holds of the socket with these ends.
    pub(super) fn watch(&mut self, ends: SocketEnds) {
        self.unacked.begin(ends);
    }

    /// Looks after the connection, a few times a second. `paused_ms`: how long this process stood
    /// still since the last look.
    pub(super) fn look(&mut self, now_ms: u64, paused_ms: u64) -> SocketLook {
        if paused_ms > 0 {
            self.full_since_ms = self.full_since_ms.map(|since_ms| since_ms + paused_ms);
            if self.starved_since_ms > 0 {
                self.starved_since_ms += paused_ms;
            }
            self.unacked.forgive(paused_ms);
        }
        let is_tight = !self.held.budget().has_half();
        let waiting = self.bytes;
        let limit_ms = SLOW_CONSUMER_MS;
        let is_stalled = self.unacked.is_stalled(waiting, now_ms, limit_ms, is_tight);
        let is_open = self.end == End::Open;
        SocketLook {
            is_slow: is_open && (is_stalled || self.is_overdue(now_ms, SLOW_CONSUMER_MS)),
            is_starved: is_open && self.is_starved(now_ms),
            has_room: self.wants_room && self.take_room(),
            ask: self
                .unacked
                .ask(now_ms)
                .filter(|_| !matches!(self.end, End::Dead(_))),
        }
    }

    /// Whether a budget has had no room for so long; not if there is some now.
    fn is_starved(&mut self, now_ms: u64) -> bool {
        if self.starved_since_ms == 0 {
            return false;
        }
        if self.held.budget().has_half() {
            self.starved_since_ms = 0;
            return false;
        }
        now_ms.saturating_sub(self.starved_since_ms) >= SLOW_CONSUMER_MS
    }

    /// What the bytes are taken from.
    pub(super) fn budget(&self) -> &Budget {
        self.held.budget()
    }

    /// Drops what waits, at once, and ends the queue with a Close frame. False: it has ended already.
    pub(super) fn shed(&mut self, why: Ended) -> bool {
        if self.end != End::Open {
            return false;
        }
        let bytes: usize = self.data.iter().map(|frame| frame.payload.len()).sum();
        let frames = std::mem::take(&mut self.data).len();
        self.partials = 0;
        self.give(frames, bytes);
        self.close(why);
        true
    }

    /// Whether the queue has been full for `limit_ms`.
    pub(super) fn is_overdue(&self, now_ms: u64, limit_ms: u64) -> bool {
        let full_since_ms = self.full_since_ms;
        full_since_ms.is_some_and(|since_ms| now_ms.saturating_sub(since_ms) >= limit_ms)
    }

    /// Takes what the kernel holds.
    pub(super) fn kernel_told(&mut self, asked: KernelAsk, held: Option<KernelHeld>, now_ms: u64) {
        self.unacked.told(asked, held, now_ms);
        if !matches!(self.end, End::Dead(_)) {
            self.give(0, 0);
        }
    }

    /// Memory of the kernel that is charged, bytes.
    pub(super) fn kernel_bytes(&self) -> usize {
        self.unacked.charge()
    }

    /// Whether nothing waits for the writer.
    pub(super) fn is_empty(&self) -> bool {
        let closing = matches!(self.end, End::Closing(_));
        self.control.is_empty() && self.data.is_empty() && !closing
    }

    /// Bytes that wait or are being written.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frames that wait or are being written.
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    pub(super) fn full_since_ms(&self) -> Option<u64> {
        self.full_since_ms
    }

    /// Why the connection ends; `Lost` if nobody closed it.
    pub(super) fn ended(&self) -> Ended {
        match self.end {
            End::Open => Ended::Lost,
            End::Closing(why) | End::Closed(why) | End::Dead(why) => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::CloseCode;

    use super::*;

    const BYTES_MAX: usize = 100;
    const FRAMES_MAX: usize = 8;

    #[derive(Debug, Clone)]
    enum Step {
        Push(Outgoing),
        Ping,
        Take,
        Written,
        Close,
        Kill,
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = (0..3u8).prop_map(|n| StreamKey::from(format!("bot {n}")));
        let class = prop_oneof![
            Just(Class::Answer),
            Just(Class::Presence),
            proptest::option::of(key.clone()).prop_map(Class::Message),
            key.prop_map(Class::Partial),
        ];
        let push = (class, 0..40usize)
            .prop_map(|(class, bytes)| Step::Push(Outgoing::text(vec![b'x'; bytes].into(), class)));
        prop_oneof![
            30 => push,
            2 => Just(Step::Ping),
            5 => Just(Step::Take),
            5 => Just(Step::Written),
            1 => Just(Step::Close),
            1 => Just(Step::Kill),
        ]
    }

    fn queue(budget: &Budget) -> Queue {
        Queue::new(WriteLimits {
            bytes: BYTES_MAX,
            frames: FRAMES_MAX,
            budget: budget.clone(),
        })
    }

    proptest! {
        #[test]
        fn never_passes_its_limits_and_gives_everything_back(
            steps in proptest::collection::vec(step(), 1..80),
            budget_bytes in 50..150u64,
        ) {
            let budget = Budget::new(budget_bytes, None);
            let mut queue = queue(&budget);
            let mut writing = Batch::default();
            for (now_ms, step) in steps.into_iter().enumerate() {
                let (bytes, full) = (queue.bytes(), queue.full_since_ms());
                match step {
                    Step::Push(frame) => {
                        let pushed = queue.push(frame, now_ms as u64);
                        let gone = queue.end != End::Open;
                        prop_assert_eq!(pushed == Push::Gone, gone);
                        prop_assert!(pushed != Push::Full || queue.bytes() <= bytes);
                        prop_assert!(full.is_none_or(|since| queue.full_since_ms().is_none_or(|now| now == since)));
                    }
                    Step::Ping => queue.push_control(OpCode::Ping, Bytes::new()),
                    Step::Take if writing.is_empty() => writing = queue.next_batch(),
                    Step::Take => {}
                    Step::Written => {
                        let data = std::mem::take(&mut writing).data;
                        let sizes: Vec<_> = data.iter().map(|sent| sent.payload.len()).collect();
                        queue.written(sizes.iter().sum(), sizes.len(), sizes.iter().sum());
                    }
                    Step::Close => queue.close(Ended::Us(CloseCode::Restart)),
                    Step::Kill => queue.kill(),
                }
                prop_assert!(queue.frames() <= FRAMES_MAX && queue.bytes() <= BYTES_MAX);
                prop_assert!(queue.control.len() <= CONTROL_FRAMES_MAX);
                prop_assert_eq!(budget.used(), queue.bytes() as u64);
                let waiting = queue.data.iter().filter(|frame| frame.is_partial()).count();
                prop_assert_eq!(queue.partials, waiting);
                if queue.end == End::Open && writing.is_empty() {
                    let sum: usize = queue.data.iter().map(|frame| frame.payload.len()).sum();
                    prop_assert_eq!((queue.frames(), queue.bytes()), (queue.data.len(), sum));
                }
            }
            drop(queue);
            prop_assert_eq!(budget.used(), 0);
        }
    }

    fn text(bytes: usize, class: Class) -> Outgoing {
        Outgoing::text(vec![b'x'; bytes].into(), class)
    }

    fn partial(bytes: usize) -> Outgoing {
        text(bytes, Class::Partial("bot s".into()))
    }

    #[test]
    fn the_last_byte_and_the_last_frame_fit_and_no_more() {
        let mut queue = queue(&Budget::new(1000, None));
        assert_eq!(queue.push(text(BYTES_MAX, Class::Answer), 0), Push::Queued);
        assert_eq!(queue.push(text(0, Class::Answer), 0), Push::Queued);
        assert_eq!(queue.push(text(1, Class::Answer), 0), Push::Full);
        for _ in 2..FRAMES_MAX {
            assert_eq!(queue.push(text(0, Class::Answer), 0), Push::Queued);
        }
        assert_eq!(queue.push(text(0, Class::Answer), 0), Push::Full);
    }

    #[test]
    fn partials_give_way_to_everything_else() {
        let mut queue = queue(&Budget::new(1000, None));
        assert_eq!(queue.push(partial(60), 0), Push::Queued);
        assert_eq!(queue.push(text(60, Class::Message(None)), 0), Push::Queued);
        assert_eq!((queue.frames(), queue.bytes()), (1, 60));
        assert_eq!(queue.push(partial(40), 0), Push::Queued);
        assert_eq!(
            queue.push(partial(41), 7),
            Push::Full,
            "the older one stays"
        );
        assert_eq!((queue.bytes(), queue.full_since_ms()), (100, Some(7)));
    }

    #[test]
    fn full_ends_when_half_is_written() {
        let mut queue = queue(&Budget::new(1000, None));
        for _ in 0..4 {
            assert_eq!(queue.push(text(25, Class::Answer), 0), Push::Queued);
        }
        assert_eq!(queue.push(text(1, Class::Presence), 5), Push::Full);
        assert_eq!(queue.full_since_ms(), Some(5), "presence counts as well");
        assert_eq!(queue.push(text(1, Class::Answer), 9), Push::Full);
        queue.next_batch();
        assert!(!queue.written(25, 1, 25));
        assert_eq!(queue.full_since_ms(), Some(5));
        assert!(queue.written(25, 1, 25), "who waits for room is told");
        assert_eq!(queue.full_since_ms(), None);
        assert!(!queue.written(25, 1, 25), "and only once");
    }

    #[test]
    fn room_is_told_only_when_the_budget_has_some_too() {
        let budget = Budget::new(100, None);
        let (mut queue, mut other) = (queue(&budget), self::queue(&budget));
        assert_eq!(other.push(text(100, Class::Answer), 0), Push::Queued);
        assert_eq!(queue.push(text(1, Class::Presence), 0), Push::Full);
        assert_eq!(queue.full_since_ms(), None, "it is not its own fault");
        assert!(!queue.take_room());
        other.next_batch();
        other.written(100, 1, 100);
        assert!(queue.take_room() && !queue.take_room());
    }

    #[test]
    fn what_waits_is_dropped_at_once_when_it_is_shed() {
        let budget = Budget::new(1000, None);
        let mut queue = queue(&budget);
        for class in [Class::Answer, Class::Message(None)] {
            assert_eq!(queue.push(text(30, class), 0), Push::Queued);
        }
        let writing = queue.next_batch();
        assert_eq!(queue.push(partial(40), 0), Push::Queued);
        assert!(queue.shed(Ended::Us(CloseCode::SlowConsumer)));
        assert!(!queue.shed(Ended::Us(CloseCode::TryLater)));
        assert_eq!(
            (queue.bytes(), budget.used()),
            (60, 60),
            "what is being written stays"
        );
        queue.written(60, writing.data.len(), 60);
        assert_eq!(queue.push(text(1, Class::Answer), 0), Push::Gone);
        let batch = queue.next_batch();
        assert!(batch.data.is_empty() && budget.used() == 0);
        assert_eq!(batch.close, Some(Ended::Us(CloseCode::SlowConsumer)));
    }

    #[test]
    fn control_goes_first_and_close_goes_last() {
        let mut queue = queue(&Budget::new(1000, None));
        assert_eq!(queue.push(text(1, Class::Answer), 0), Push::Queued);
        for n in 0..=CONTROL_FRAMES_MAX as u8 {
            queue.push_control(OpCode::Pong, vec![n].into());
        }
        queue.close(Ended::Us(CloseCode::Restart));
        queue.close(Ended::Peer(None));
        let batch = queue.next_batch();
        assert!(queue.is_empty() && batch.control.len() == CONTROL_FRAMES_MAX);
        let newest = &batch.control[CONTROL_FRAMES_MAX - 1];
        assert_eq!(newest.1[..], [CONTROL_FRAMES_MAX as u8]);
        assert_eq!(batch.data.len(), 1);
        assert_eq!(batch.close, Some(Ended::Us(CloseCode::Restart)));
        assert_eq!(queue.ended(), Ended::Us(CloseCode::Restart));
    }
}
