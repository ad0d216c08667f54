//! What waits to be written to one connection, and the verdicts about it. Pure: no I/O, no clock.
//!
//! ```text
//! control  ping, pong          at most 16; overtakes data
//! data     finished frames     bounded in bytes and frames, in order; partials give way
//! close    one Close frame     after all data; from then on every push is `Gone`
//! ```

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use fastwebsockets::OpCode;
use protocol::CloseCode;
use smol_str::SmolStr;

use super::budget::{Budget, Charge};
use super::frame::{HEAD_BYTES_MAX, head_of};

/// Most pings and pongs that wait; when full, the newest replaces the newest that waits.
const CONTROL_FRAMES_MAX: usize = 16;
/// Most frames handed to one write: each is two slices, and a system takes 1,024 of them.
pub(super) const BATCH_FRAMES_MAX: usize = 64;
/// Bytes after which a batch is not filled further: control frames and newer partials get a turn.
const BATCH_BYTES: usize = 256 * 1024;

/// Which stream of text a partial, or the message that ends it, belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKey {
    /// The sender.
    pub from: SmolStr,
    /// The sender's name for the stream.
    pub stream: SmolStr,
}

/// What a frame is, as far as its place in the queue depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// An answer to the peer's own request.
    Answer,
    /// A message; it ends the stream it names: a partial of that stream which waits is dropped.
    Message(Option<StreamKey>),
    /// A stand-in for the message to come; a newer one takes the place of one that waits.
    Partial(StreamKey),
    /// News of bots.
    Presence,
}

/// One finished frame; its payload is shared by all who receive it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    opcode: OpCode,
    payload: Bytes,
    class: Class,
}

impl Outgoing {
    /// Makes a text frame; `payload` is UTF-8 in an allocation of its own size.
    pub fn text(payload: Bytes, class: Class) -> Self {
        Self {
            opcode: OpCode::Text,
            payload,
            class,
        }
    }

    /// Makes a binary frame.
    pub fn binary(payload: Bytes, class: Class) -> Self {
        Self {
            opcode: OpCode::Binary,
            payload,
            class,
        }
    }
}

/// What became of a frame that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Push {
    /// It waits, and will be written unless the connection breaks.
    Queued,
    /// There is no room: for this connection, its tenant or the node.
    Full,
    /// The connection is closing or gone.
    Gone,
}

/// Why a connection ended, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// We closed it.
    Us(CloseCode),
    /// The peer closed it, with this code if it gave one.
    Peer(Option<u16>),
    /// The stream broke off without a Close frame.
    Lost,
}

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

/// A frame on its way out.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) head: [u8; HEAD_BYTES_MAX],
    pub(super) head_bytes: usize,
    pub(super) payload: Bytes,
    pub(super) lane: Lane,
}

/// Where a frame waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Control,
    Data,
    Close,
}

impl Sending {
    fn new(opcode: OpCode, payload: Bytes, lane: Lane) -> Self {
        let (head, head_bytes) = head_of(opcode, &payload);
        Self {
            head,
            head_bytes,
            payload,
            lane,
        }
    }
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
    held: Charge,
    bytes_max: usize,
    frames_max: usize,
    full_since_ms: Option<u64>,
    end: End,
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
            held: Charge::new(limits.budget),
            bytes_max: limits.bytes,
            frames_max: limits.frames,
            full_since_ms: None,
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
        if !self.take(frame.payload.len()) {
            self.drop_partials();
            if !self.take(frame.payload.len()) {
                return self.refuse(frame.payload.len(), now_ms);
            }
        }
        self.partials += usize::from(is_partial(&frame));
        self.data.push_back(frame);
        Push::Queued
    }

    /// Puts a newer partial in the place of one that waits; refused, the older one stays.
    fn replace(&mut self, at: usize, newer: Outgoing, now_ms: u64) -> Push {
        let total = self.bytes() - self.data[at].payload.len() + newer.payload.len();
        if total > self.bytes_max || !self.held.set(total as u64) {
            return self.refuse(newer.payload.len(), now_ms);
        }
        self.data[at] = newer;
        Push::Queued
    }

    fn take(&mut self, bytes: usize) -> bool {
        let total = self.bytes() + bytes;
        let taken =
            self.frames < self.frames_max && total <= self.bytes_max && self.held.set(total as u64);
        self.frames += usize::from(taken);
        taken
    }

    /// A tenant or node without room is not this connection's fault: only its own limits count.
    fn refuse(&mut self, bytes: usize, now_ms: u64) -> Push {
        if self.frames >= self.frames_max || self.bytes() + bytes > self.bytes_max {
            self.full_since_ms.get_or_insert(now_ms);
        }
        Push::Full
    }

    fn give(&mut self, frames: usize, bytes: usize) {
        self.frames -= frames;
        let shrunk = self.held.set((self.bytes() - bytes) as u64);
        debug_assert!(shrunk, "a budget cannot refuse to take back");
        if self.frames <= self.frames_max / 2 && self.bytes() <= self.bytes_max / 2 {
            self.full_since_ms = None;
        }
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
            self.partials -= usize::from(is_partial(&frame));
            self.give(1, frame.payload.len());
        }
    }

    fn drop_partials(&mut self) {
        if self.partials == 0 {
            return;
        }
        let (mut frames, mut bytes) = (0, 0);
        self.data.retain(|frame| {
            let dropped = is_partial(frame);
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
        (self.partials, self.frames) = (0, 0);
        self.held.set(0);
    }

    /// Hands the next frames to the writer; false: nothing waits.
    pub(super) fn next_batch(&mut self, batch: &mut VecDeque<Sending>) -> bool {
        for (opcode, payload) in self.control.drain(..) {
            batch.push_back(Sending::new(opcode, payload, Lane::Control));
        }
        let mut bytes = 0;
        while batch.len() < BATCH_FRAMES_MAX
            && bytes < BATCH_BYTES
            && let Some(frame) = self.data.pop_front()
        {
            bytes += frame.payload.len();
            self.partials -= usize::from(is_partial(&frame));
            batch.push_back(Sending::new(frame.opcode, frame.payload, Lane::Data));
        }
        if self.data.is_empty() {
            if let End::Closing(why) = self.end {
                self.end = End::Closed(why);
                batch.push_back(Sending::new(OpCode::Close, close_payload(why), Lane::Close));
            }
            // An idle connection keeps no room for frames.
            self.data = VecDeque::new();
            self.control = VecDeque::new();
        }
        !batch.is_empty()
    }

    /// Counts data frames that were written to the last byte.
    pub(super) fn written(&mut self, frames: usize, bytes: usize) {
        if !matches!(self.end, End::Dead(_)) {
            self.give(frames, bytes);
        }
    }

    /// Whether nothing waits for the writer.
    pub(super) fn is_empty(&self) -> bool {
        let closing = matches!(self.end, End::Closing(_));
        self.control.is_empty() && self.data.is_empty() && !closing
    }

    /// Bytes that wait or are being written.
    pub(super) fn bytes(&self) -> usize {
        self.held.bytes() as usize
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

fn is_partial(frame: &Outgoing) -> bool {
    matches!(frame.class, Class::Partial(_))
}

fn close_payload(why: Ended) -> Bytes {
    let (code, reason) = match why {
        Ended::Us(close) => (close.code(), close.reason()),
        Ended::Peer(Some(code)) => (code, ""),
        Ended::Peer(None) | Ended::Lost => return Bytes::new(),
    };
    let mut payload = BytesMut::with_capacity(2 + reason.len());
    payload.put_u16(code);
    payload.put_slice(reason.as_bytes());
    payload.freeze()
}
