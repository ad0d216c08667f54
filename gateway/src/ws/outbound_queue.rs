//! What waits to be written to one connection. Pure: no I/O, no clock.
//!
//! ```text
//! control  ping, pong          at most 16; overtakes data
//! data     finished frames     bounded in bytes and frames, in order; partials give way
//! close    one Close frame     after all data; from then on every push is `Gone`
//! ```

use std::collections::VecDeque;

use bytes::Bytes;
use fastwebsockets::OpCode;

use super::held::{HeldFrames, SocketLook, WriteLimits};
use super::outgoing::{
    ConnectionEnd, OutgoingBatch, OutgoingFrame, PushOutcome, QueueClass, StreamKey,
};

/// Most pings and pongs that wait; when full, the newest replaces the newest that waits.
const CONTROL_FRAMES_MAX: usize = 16;
/// Most frames handed to one write: each is at most two slices, and a system takes 1,024 of them.
const BATCH_FRAMES_MAX: usize = 64;
/// Bytes after which a batch is not filled further: control frames and newer partials get a turn.
const BATCH_BYTES: usize = 256 * 1024;

/// Everything that waits for one connection.
#[derive(Debug)]
pub(super) struct OutboundQueue {
    control: VecDeque<(OpCode, Bytes)>,
    data: VecDeque<OutgoingFrame>,
    /// What all frames take that wait or are being written.
    held: HeldFrames,
    /// Partials in `data`; 0 spares the search for them.
    partials: u32,
    end: QueueEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueueEnd {
    Open,
    /// The Close frame waits behind the data.
    Closing(ConnectionEnd),
    /// The Close frame has been handed to the writer.
    Closed(ConnectionEnd),
    /// Nothing can be written any more.
    Dead(ConnectionEnd),
}

impl OutboundQueue {
    pub(super) fn new(limits: WriteLimits) -> Self {
        Self {
            control: VecDeque::new(),
            data: VecDeque::new(),
            held: HeldFrames::new(limits),
            partials: 0,
            end: QueueEnd::Open,
        }
    }

    /// What its frames take.
    pub(super) fn held(&self) -> &HeldFrames {
        &self.held
    }

    /// The same, to change limits and to tell what the kernel said.
    pub(super) fn held_mut(&mut self) -> &mut HeldFrames {
        &mut self.held
    }

    pub(super) fn push(&mut self, frame: OutgoingFrame, now_ms: u64) -> PushOutcome {
        if self.end != QueueEnd::Open {
            return PushOutcome::Gone;
        }
        match &frame.class {
            QueueClass::Partial(key) => {
                if let Some(at) = self.waiting_partial(key) {
                    return self.replace(at, frame, now_ms);
                }
            }
            QueueClass::Message(Some(key)) => {
                if let Some(at) = self.waiting_partial(key) {
                    self.remove(at);
                }
            }
            QueueClass::Answer | QueueClass::Message(None) | QueueClass::Presence => {}
        }
        if !self.held.take(&frame) {
            self.drop_partials();
            if !self.held.take(&frame) {
                self.held.refuse(&frame, now_ms);
                return PushOutcome::Full;
            }
        }
        self.partials += u32::from(frame.is_partial());
        self.data.push_back(frame);
        PushOutcome::Queued
    }

    /// Puts a newer partial in the place of one that waits; refused, the older one stays.
    fn replace(&mut self, at: usize, newer: OutgoingFrame, now_ms: u64) -> PushOutcome {
        if !self.held.replace(&self.data[at], &newer) {
            self.held.refuse(&newer, now_ms);
            return PushOutcome::Full;
        }
        self.data[at] = newer;
        PushOutcome::Queued
    }

    fn waiting_partial(&self, key: &StreamKey) -> Option<usize> {
        if self.partials == 0 {
            return None;
        }
        self.data
            .iter()
            .rposition(|frame| matches!(&frame.class, QueueClass::Partial(k) if k == key))
    }

    fn remove(&mut self, at: usize) {
        if let Some(frame) = self.data.remove(at) {
            self.partials -= u32::from(frame.is_partial());
            self.held.give(1, frame.payload.len());
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
        self.held.give(frames, bytes);
    }

    /// Queues a ping or pong, in order, ahead of all data.
    pub(super) fn push_control(&mut self, opcode: OpCode, payload: Bytes) {
        if self.end != QueueEnd::Open {
            return;
        }
        if self.control.len() == CONTROL_FRAMES_MAX {
            self.control.pop_back();
        }
        self.control.push_back((opcode, payload));
    }

    /// Ends the queue: what waits is still written, then the Close frame. The first reason stays.
    pub(super) fn close(&mut self, why: ConnectionEnd) {
        if self.end == QueueEnd::Open {
            self.end = QueueEnd::Closing(why);
        }
    }

    /// Drops what waits, at once, and ends the queue with a Close frame. False: it has ended already.
    pub(super) fn shed(&mut self, why: ConnectionEnd) -> bool {
        if self.end != QueueEnd::Open {
            return false;
        }
        let bytes: usize = self.data.iter().map(|frame| frame.payload.len()).sum();
        let frames = std::mem::take(&mut self.data).len();
        self.partials = 0;
        self.held.give(frames, bytes);
        self.close(why);
        true
    }

    /// Drops everything; nothing can be written any more.
    pub(super) fn kill(&mut self) {
        self.end = QueueEnd::Dead(self.ended());
        self.control = VecDeque::new();
        self.data = VecDeque::new();
        self.partials = 0;
        self.held.clear();
    }

    /// Hands out what is written next; nothing, if nothing waits. An idle connection keeps no room
    /// for frames.
    pub(super) fn next_batch(&mut self) -> OutgoingBatch {
        let control = std::mem::take(&mut self.control);
        let data = match self.data.len() <= BATCH_FRAMES_MAX && self.held.bytes() <= BATCH_BYTES {
            true => std::mem::take(&mut self.data),
            false => self.some(),
        };
        if self.data.is_empty() {
            self.partials = 0;
        } else if self.partials > 0 {
            let partials = data.iter().map(|frame| u32::from(frame.is_partial()));
            self.partials -= partials.sum::<u32>();
        }
        let mut close = None;
        if self.data.is_empty()
            && let QueueEnd::Closing(why) = self.end
        {
            self.end = QueueEnd::Closed(why);
            close = Some(why);
        }
        OutgoingBatch {
            control,
            data,
            close,
        }
    }

    fn some(&mut self) -> VecDeque<OutgoingFrame> {
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
        self.held.wrote(written);
        if !matches!(self.end, QueueEnd::Dead(_)) {
            self.held.give(frames, bytes);
        }
        self.held.take_room()
    }

    /// Looks after the connection, a few times a second. `paused_ms`: how long this process stood
    /// still since the last look.
    pub(super) fn look(&mut self, now_ms: u64, paused_ms: u64) -> SocketLook {
        let look = self.held.look(now_ms, paused_ms);
        let is_open = self.end == QueueEnd::Open;
        SocketLook {
            is_slow: is_open && look.is_slow,
            is_starved: is_open && look.is_starved,
            ..look
        }
    }

    /// Whether nothing waits for the writer.
    pub(super) fn is_empty(&self) -> bool {
        let closing = matches!(self.end, QueueEnd::Closing(_));
        self.control.is_empty() && self.data.is_empty() && !closing
    }

    /// Why the connection ends; `Lost` if nobody closed it.
    pub(super) fn ended(&self) -> ConnectionEnd {
        match self.end {
            QueueEnd::Open => ConnectionEnd::Lost,
            QueueEnd::Closing(why) | QueueEnd::Closed(why) | QueueEnd::Dead(why) => why,
        }
    }
}

#[cfg(test)]
mod tests;
