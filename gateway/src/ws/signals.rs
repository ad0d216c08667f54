//! What others have to say to the task that reads a connection.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Somebody called `close`, or the peer's Close came.
pub(super) const CLOSING: u8 = 1;
/// The Close frame is written.
pub(super) const CLOSE_WRITTEN: u8 = 2;
/// Writing failed.
pub(super) const BROKEN: u8 = 4;
/// A pause is over.
pub(super) const RESUMED: u8 = 8;
/// There are new limits for the reader.
pub(super) const READ_LIMITS: u8 = 16;
/// Frames were pushed to a connection without a socket.
pub(super) const ARRIVED: u8 = 32;
/// There is room again for presence that was refused.
pub(super) const ROOM: u8 = 64;

/// What others have to say to the task that reads: bits, and its waker.
#[derive(Default)]
pub(super) struct ReaderSignals {
    bits: AtomicU8,
    waker: AtomicWaker,
}

impl ReaderSignals {
    pub(super) fn raise(&self, bit: u8) {
        self.bits.fetch_or(bit, Ordering::AcqRel);
        self.waker.wake();
    }

    /// Whether one of `bits` is raised.
    pub(super) fn any(&self, bits: u8) -> bool {
        self.bits.load(Ordering::Acquire) & bits != 0
    }

    /// Whether `bit` was raised; it is no longer.
    pub(super) fn take(&self, bit: u8) -> bool {
        self.any(bit) && self.bits.fetch_and(!bit, Ordering::AcqRel) & bit != 0
    }

    /// Has `cx` woken by the next signal, and says whether one of `bits` is raised.
    pub(super) fn poll_any(&self, cx: &Context<'_>, bits: u8) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.any(bits) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
