//! The handle of one connection: what everybody but its reader sees of it.
//!
//! Pushing, pinging and closing only queue; [`Connection::flush`] writes. One writes at a time:
//! whoever does not get the writer leaves, since the one who has it looks again after releasing it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::{fmt, io};

use ::metrics::Counter;
use bytes::Bytes;
use fastwebsockets::OpCode;
use protocol::CloseCode;

use super::budget::Budget;
use super::held::{SocketLook, WriteLimits};
use super::outgoing::{ConnectionEnd, OutgoingBatch, OutgoingFrame, PushOutcome};
use super::reader::ReadLimits;
use super::shared_queue::SharedQueue;
use super::signals::{
    ARRIVED, BROKEN, CLOSE_WRITTEN, CLOSING, READ_LIMITS, RESUMED, ROOM, ReaderSignals,
};
use super::socket_ends::SocketEnds;
use super::stream::WriteHalf;
use super::unacked::{KernelAsk, KernelHeld};
use super::writer::{DrainOutcome, FrameWriter};

/// Writes that one flush does itself; a busier connection gets a task, so that no reader becomes
/// the writer of everybody else's frames.
const FLUSH_ROUNDS: usize = 8;

/// One connection, shared by the node's tables and its own reader.
pub struct Connection {
    queue: SharedQueue,
    writer: Mutex<FrameWriter>,
    is_local: bool,
    read_limits: Mutex<Option<ReadLimits>>,
    signals: ReaderSignals,
    controls_ignored: AtomicU32,
    /// As its reader noted it last.
    assembling: AtomicU32,
    /// Whether bytes moved since somebody looked.
    moved: AtomicBool,
    /// Whether the last look found nothing that could change without a push: then none is needed.
    is_quiet: AtomicBool,
}

/// The allocator gives out 384 or 448 bytes, and nothing between: every socket would pay for a byte more. An `Arc` takes
/// two words beside.
const CONNECTION_BYTES_MAX: usize = 384 - 2 * size_of::<usize>();
const _: () = assert!(size_of::<Connection>() <= CONNECTION_BYTES_MAX);

impl Connection {
    /// Makes the handle of a connection that writes to `half`. `written`: what counts the bytes that the
    /// socket takes.
    pub fn new(half: WriteHalf, limits: WriteLimits, written: Arc<Counter>) -> Arc<Self> {
        Arc::new(Self {
            queue: SharedQueue::new(limits),
            writer: Mutex::new(FrameWriter::new(half, written)),
            is_local: false,
            read_limits: Mutex::new(None),
            signals: ReaderSignals::default(),
            controls_ignored: AtomicU32::new(0),
            assembling: AtomicU32::new(0),
            moved: AtomicBool::new(false),
            is_quiet: AtomicBool::new(false),
        })
    }

    /// Makes the handle of a connection without a socket; `flush` wakes whoever takes its frames.
    pub(super) fn local(limits: WriteLimits) -> Arc<Self> {
        Arc::new(Self {
            queue: SharedQueue::new(limits),
            writer: Mutex::new(FrameWriter::local()),
            is_local: true,
            read_limits: Mutex::new(None),
            signals: ReaderSignals::default(),
            controls_ignored: AtomicU32::new(0),
            assembling: AtomicU32::new(0),
            moved: AtomicBool::new(false),
            is_quiet: AtomicBool::new(false),
        })
    }

    /// Queues a frame. No I/O: flush once every lock is released.
    ///
    /// `now_ms`: any clock that [`overdue`](Self::overdue) is asked with too. `Full`: waiting
    /// partials were dropped and there is still no room; nothing was queued.
    pub fn push(&self, frame: OutgoingFrame, now_ms: u64) -> PushOutcome {
        let pushed = self.queue.push(frame, now_ms);
        // Behind the push: a look that misses the frame has set the flag before this.
        self.is_quiet.store(false, Ordering::Release);
        pushed
    }

    /// Queues a ping, ahead of all data. `payload`: at most 125 bytes. What the kernel holds of pings
    /// alone is too little to look after.
    pub fn ping(&self, payload: Bytes) {
        debug_assert!(payload.len() <= protocol::limits::CONTROL_BYTES_MAX);
        self.queue.push_control(OpCode::Ping, payload);
    }

    pub(super) fn pong(&self, payload: &[u8]) {
        self.queue
            .push_control(OpCode::Pong, Bytes::copy_from_slice(payload));
        self.is_quiet.store(false, Ordering::Release);
    }

    /// Begins to close: what is queued is still written, then the Close frame. The first call
    /// decides the code; later pushes are `Gone`.
    pub fn close(&self, code: CloseCode) {
        self.end(ConnectionEnd::Us(code));
    }

    /// Drops what is queued, at once, and begins to close: others need the memory. False: it was
    /// closing already.
    pub(crate) fn shed(&self, code: CloseCode) -> bool {
        let was_open = self.queue.shed(ConnectionEnd::Us(code));
        self.signals.raise(CLOSING);
        was_open
    }

    /// What this connection's bytes are taken from.
    pub fn budget(&self) -> Budget {
        self.queue.budget()
    }

    /// Bytes of a message that has not arrived as a whole.
    pub(crate) fn assembling(&self) -> usize {
        self.assembling.load(Ordering::Relaxed) as usize
    }

    pub(super) fn note_assembling(&self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.assembling.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn end(&self, why: ConnectionEnd) {
        self.queue.close(why);
        self.signals.raise(CLOSING);
    }

    /// Ends one `ReadFlow::Pause`; called before the pause is reached, it is not lost.
    pub fn resume(&self) {
        self.signals.raise(RESUMED);
    }

    /// Says how much the peer may send once [`apply_read_limits`](Self::apply_read_limits) is called.
    pub(crate) fn set_read_limits(&self, limits: ReadLimits) {
        *lock(&self.read_limits) = Some(limits);
    }

    /// Changes how much the peer may send to what was set last; the reader obeys from its next frame on.
    pub(crate) fn apply_read_limits(&self) {
        self.signals.raise(READ_LIMITS);
    }

    pub(super) fn take_read_limits(&self) -> Option<ReadLimits> {
        self.signals
            .take(READ_LIMITS)
            .then(|| lock(&self.read_limits).take())
            .flatten()
    }

    /// Changes how much may wait for the peer; false, and unchanged, if what waits does not fit
    /// into the new budget.
    pub fn set_write_limits(&self, limits: WriteLimits) -> bool {
        self.queue.set_limits(limits)
    }

    /// Frames and bytes that wait for the peer or are being written.
    pub fn backlog(&self) -> (usize, usize) {
        self.queue.backlog()
    }

    /// Since when the queue is full: from the first `Full` until it is half empty again.
    pub fn full_since_ms(&self) -> Option<u64> {
        self.queue.full_since_ms()
    }

    /// Whether the queue has been full for `limit_ms`.
    pub fn overdue(&self, now_ms: u64, limit_ms: u64) -> bool {
        self.queue.is_overdue(now_ms, limit_ms)
    }

    /// From now on whoever [looks](Self::look) asks the kernel what it holds of this connection.
    pub(crate) fn watch_kernel(self: &Arc<Self>) {
        if self.ends().is_some() {
            self.queue.watch_kernel();
        }
    }

    /// The addresses that the kernel is asked by; none: it is no socket, or no more.
    ///
    /// Call it inside the runtime and with no lock held, as [`flush`](Self::flush).
    pub fn ends(self: &Arc<Self>) -> Option<SocketEnds> {
        let ends = self.writer().half.as_ref().and_then(WriteHalf::ends);
        // Whoever pushed meanwhile did not get the writer, and left what it pushed to this.
        if !self.queue.is_empty() {
            self.flush();
        }
        ends
    }

    /// Looks whether the peer is too slow, whether there is room again for presence that was refused,
    /// and whether the kernel is to be asked. `now_ms`: the clock of [`push`](Self::push).
    /// `paused_ms`: how long this process stood still since the last look.
    pub fn look(&self, now_ms: u64, paused_ms: u64) -> SocketLook {
        if self.is_quiet.load(Ordering::Acquire) {
            return SocketLook::default();
        }
        let look = self.queue.look(now_ms, paused_ms, &self.is_quiet);
        if look.has_room {
            self.signals.raise(ROOM);
        }
        look
    }

    /// Takes the kernel's answer; none: it could not be asked.
    pub(crate) fn kernel_told(&self, asked: KernelAsk, held: Option<KernelHeld>, now_ms: u64) {
        self.queue.kernel_told(asked, held, now_ms);
    }

    /// Memory of the kernel that this connection is charged with, bytes.
    pub fn kernel_bytes(&self) -> usize {
        self.queue.kernel_bytes()
    }

    /// Bytes came from the peer, or it made room for some that waited: it lives, however long a whole
    /// frame takes.
    pub(super) fn note_moved(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    /// Whether bytes moved since the last call.
    pub(crate) fn take_moved(&self) -> bool {
        self.moved.load(Ordering::Relaxed) && self.moved.swap(false, Ordering::Relaxed)
    }

    /// Control frames of the peer that were ignored because they came too fast.
    pub fn controls_ignored(&self) -> u64 {
        self.controls_ignored.load(Ordering::Relaxed).into()
    }

    pub(super) fn count_ignored_control(&self) {
        self.controls_ignored.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes what waits, as far as the socket takes it now; a task writes the rest.
    ///
    /// Never blocks. Call it inside the runtime and with no lock held.
    pub fn flush(self: &Arc<Self>) {
        if self.is_local {
            return self.signals.raise(ARRIVED);
        }
        loop {
            // Whoever holds the writer looks at the queue again after releasing it, or ends the
            // connection: nothing is stranded.
            let Ok(mut writer) = self.writer.try_lock() else {
                return;
            };
            if writer.flusher.is_some() {
                return;
            }
            let drained = drain_now(&mut writer, &self.queue);
            self.tell_room(&mut writer);
            match drained {
                Poll::Ready(Ok(DrainOutcome::More)) | Poll::Pending => {
                    let task = tokio::spawn(Arc::clone(self).write_rest());
                    writer.flusher = Some(task.abort_handle());
                    return;
                }
                Poll::Ready(drained) => {
                    drop(writer);
                    self.note(drained);
                }
            }
            if self.queue.is_empty() {
                return;
            }
        }
    }

    async fn write_rest(self: Arc<Self>) {
        let drained = poll_fn(|cx| {
            let mut writer = self.writer();
            let drained = writer.poll_drain(cx, &self.queue, usize::MAX);
            self.tell_room(&mut writer);
            if writer.take_progress() {
                self.note_moved();
            }
            let drained = ready!(drained);
            writer.flusher = None;
            Poll::Ready(drained)
        })
        .await;
        self.note(drained);
        if !self.queue.is_empty() {
            self.flush();
        }
    }

    fn tell_room(&self, writer: &mut FrameWriter) {
        if std::mem::take(&mut writer.made_room) {
            self.signals.raise(ROOM);
        }
    }

    fn note(&self, drained: io::Result<DrainOutcome>) {
        match drained {
            Ok(DrainOutcome::Empty | DrainOutcome::More) => {}
            Ok(DrainOutcome::Closed) => self.signals.raise(CLOSE_WRITTEN),
            Err(_) => {
                self.queue.kill();
                self.signals.raise(BROKEN);
            }
        }
    }

    /// Hands out what waits, for whoever takes it instead of a socket.
    pub(super) fn next_batch(&self) -> OutgoingBatch {
        self.queue.next_batch()
    }

    /// Says to the peer that nothing more will be written.
    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.writer().half {
            Some(half) => half.poll_shutdown(cx).map(|_| ()),
            None => Poll::Ready(()),
        }
    }

    /// Has the socket reset when it is released: its peer does not read.
    pub(super) fn abort(&self) {
        if let Some(half) = &self.writer().half {
            half.abort();
        }
    }

    /// Releases the socket and all that waits; pushes are `Gone` from now on.
    pub(super) fn retire(&self) {
        self.writer().retire();
        self.queue.kill();
    }

    /// Why the connection ends; `Lost` while nobody closed it.
    pub(super) fn ended(&self) -> ConnectionEnd {
        self.queue.ended()
    }

    pub(super) fn signals(&self) -> &ReaderSignals {
        &self.signals
    }

    fn writer(&self) -> MutexGuard<'_, FrameWriter> {
        lock(&self.writer)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("backlog", &self.backlog())
            .finish_non_exhaustive()
    }
}

/// Polls once, for whoever pushed: no waker, and not on the caller's cooperative budget.
fn drain_now(writer: &mut FrameWriter, queue: &SharedQueue) -> Poll<io::Result<DrainOutcome>> {
    let drain = poll_fn(|cx| writer.poll_drain(cx, queue, FLUSH_ROUNDS));
    let drain = pin!(tokio::task::unconstrained(drain));
    drain.poll(&mut Context::from_waker(Waker::noop()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
