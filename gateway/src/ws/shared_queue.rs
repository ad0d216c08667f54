//! The bounded outbound queue of one connection, behind one short lock.
//!
//! The lock is a leaf: nothing else is locked while it is held, and no I/O happens under it. So a
//! push may be made under a tenant's lock; the bytes leave when somebody flushes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fastwebsockets::OpCode;

use super::budget::Budget;
use super::held::{SocketLook, WriteLimits};
use super::outbound_queue::OutboundQueue;
use super::outgoing::{ConnectionEnd, OutgoingBatch, OutgoingFrame, PushOutcome};
use super::unacked::{KernelAsk, KernelHeld};

/// A [`OutboundQueue`] that many may push to.
pub(super) struct SharedQueue(Mutex<OutboundQueue>);

impl SharedQueue {
    pub(super) fn new(limits: WriteLimits) -> Self {
        Self(Mutex::new(OutboundQueue::new(limits)))
    }

    /// A queue is never left half changed by a panic, so a poisoned lock is still good.
    fn queue(&self) -> MutexGuard<'_, OutboundQueue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_limits(&self, limits: WriteLimits) -> bool {
        self.queue().held_mut().set_limits(limits)
    }

    pub(super) fn push(&self, frame: OutgoingFrame, now_ms: u64) -> PushOutcome {
        self.queue().push(frame, now_ms)
    }

    pub(super) fn push_control(&self, opcode: OpCode, payload: Bytes) {
        self.queue().push_control(opcode, payload);
    }

    pub(super) fn close(&self, why: ConnectionEnd) {
        self.queue().close(why);
    }

    pub(super) fn shed(&self, why: ConnectionEnd) -> bool {
        self.queue().shed(why)
    }

    pub(super) fn budget(&self) -> Budget {
        self.queue().held().budget().clone()
    }

    pub(super) fn kill(&self) {
        self.queue().kill();
    }

    pub(super) fn next_batch(&self) -> OutgoingBatch {
        self.queue().next_batch()
    }

    /// Says whether there is room again for presence that was refused.
    pub(super) fn written(&self, written: usize, frames: usize, bytes: usize) -> bool {
        self.queue().written(written, frames, bytes)
    }

    pub(super) fn watch_kernel(&self) {
        self.queue().held_mut().watch_kernel();
    }

    /// Looks, and notes under the lock whether the next look is not needed.
    pub(super) fn look(&self, now_ms: u64, paused_ms: u64, is_quiet: &AtomicBool) -> SocketLook {
        let mut queue = self.queue();
        let look = queue.look(now_ms, paused_ms);
        is_quiet.store(queue.held().is_quiet(), Ordering::Release);
        look
    }

    pub(super) fn kernel_told(&self, asked: KernelAsk, held: Option<KernelHeld>, now_ms: u64) {
        self.queue().held_mut().kernel_told(asked, held, now_ms);
    }

    pub(super) fn kernel_bytes(&self) -> usize {
        self.queue().held().kernel_bytes()
    }

    pub(super) fn is_overdue(&self, now_ms: u64, limit_ms: u64) -> bool {
        self.queue().held().is_overdue(now_ms, limit_ms)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue().is_empty()
    }

    /// Frames and bytes that wait or are being written.
    pub(super) fn backlog(&self) -> (usize, usize) {
        let queue = self.queue();
        (queue.held().frames(), queue.held().bytes())
    }

    pub(super) fn full_since_ms(&self) -> Option<u64> {
        self.queue().held().full_since_ms()
    }

    pub(super) fn ended(&self) -> ConnectionEnd {
        self.queue().ended()
    }
}
