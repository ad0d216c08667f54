//! From the queue to the socket: as few writes as possible, and no task while nothing waits.
//!
//! Whoever pushed calls `Connection::flush`, which writes right there what waits, many frames in
//! one system call. Only when the socket is not ready does a task take over, until all is written.
//! This file is the writing itself; who may write when is `connection.rs`.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::metrics::Counter;
use bytes::Bytes;
use fastwebsockets::OpCode;
use smallvec::SmallVec;
use tokio::task::AbortHandle;

use super::frame::{head_bytes, head_of};
use super::outgoing::{OutgoingBatch, close_payload};
use super::shared_queue::SharedQueue;
use super::stream::WriteHalf;

/// Payloads up to this size are copied behind each other, since a slice of its own costs the system
/// more; larger ones stay where all their recipients share them.
const COPIED_BYTES_MAX: usize = 4 * 1024;

/// The writing side of one connection; `half` is gone once the connection is retired.
pub(super) struct FrameWriter {
    pub(super) half: Option<WriteHalf>,
    /// The task that waits for the socket; while it lives nobody else may write.
    pub(super) flusher: Option<AbortHandle>,
    /// Of all sockets of the node: the bytes that they took. Absent without a socket.
    written: Option<Arc<Counter>>,
    chunks: WriteChunks,
    /// Bytes of the first chunk that are written.
    sent: u32,
    closed: bool,
    /// Whether the last writes made room for presence that was refused.
    pub(super) made_room: bool,
    /// The socket took no more at the last try.
    is_full: bool,
    /// It took some again since: the peer has acknowledged what was before.
    progress: bool,
}

type WriteChunks = SmallVec<[WriteChunk; 1]>;

/// Bytes to be written, and what their last one completes.
struct WriteChunk {
    bytes: Bytes,
    done: WrittenCount,
}

/// What was written to the last byte.
#[derive(Debug, Clone, Copy, Default)]
struct WrittenCount {
    frames: usize,
    bytes: usize,
    close: bool,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrainOutcome {
    /// Nothing waits.
    Empty,
    /// The rounds are used up; more may wait.
    More,
    /// The Close frame is written.
    Closed,
}

impl FrameWriter {
    /// `written`: what counts the bytes that the socket takes.
    pub(super) fn new(half: WriteHalf, written: Arc<Counter>) -> Self {
        Self {
            half: Some(half),
            written: Some(written),
            ..Self::local()
        }
    }

    /// A writer without a socket, which never writes.
    pub(super) fn local() -> Self {
        Self {
            half: None,
            flusher: None,
            written: None,
            chunks: WriteChunks::new(),
            sent: 0,
            closed: false,
            made_room: false,
            is_full: false,
            progress: false,
        }
    }

    /// Writes what waits in `queue`, at most `rounds` writes.
    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        queue: &SharedQueue,
        rounds: usize,
    ) -> Poll<io::Result<DrainOutcome>> {
        let half = self.half.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        for _ in 0..rounds {
            if self.chunks.is_empty() {
                self.chunks = chunks_of(queue.next_batch());
            }
            if self.chunks.is_empty() {
                ready!(half.poll_flush(cx))?;
                return Poll::Ready(Ok(if self.closed {
                    DrainOutcome::Closed
                } else {
                    DrainOutcome::Empty
                }));
            }
            let written = write(half, cx, &self.chunks, self.sent as usize);
            self.progress |= self.is_full && matches!(written, Poll::Ready(Ok(1..)));
            self.is_full = written.is_pending();
            let written = ready!(written)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if let Some(counter) = &self.written {
                counter.increment(written as u64);
            }
            let done = advance(&mut self.chunks, &mut self.sent, written);
            self.closed |= done.close;
            self.made_room |= queue.written(written, done.frames, done.bytes);
        }
        Poll::Ready(Ok(DrainOutcome::More))
    }

    /// Whether a full socket took bytes since the last call.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progress)
    }

    /// Gives up the socket and what was not written.
    pub(super) fn retire(&mut self) {
        if let Some(flusher) = self.flusher.take() {
            flusher.abort();
        }
        self.half = None;
        self.chunks = WriteChunks::new();
    }
}

/// The bytes of a batch: as few chunks as its sizes allow, mostly one.
fn chunks_of(batch: OutgoingBatch) -> WriteChunks {
    let mut chunks = WriteChunks::new();
    if batch.is_empty() {
        return chunks;
    }
    let copied = |payload: &[u8]| match payload.len() {
        length @ 0..=COPIED_BYTES_MAX => head_bytes(length) + length,
        length => head_bytes(length),
    };
    let control = batch.control.iter().map(|(_, payload)| copied(payload));
    let data = batch.data.iter().map(|frame| copied(frame.payload.bytes()));
    let close = batch.close.map(close_payload);
    // Of exactly its size, so that it becomes `Bytes` as it is.
    let bytes = control
        .chain(data)
        .chain(close.iter().map(|payload| copied(payload)))
        .sum();
    let mut text = Vec::with_capacity(bytes);
    let mut done = WrittenCount::default();
    for (opcode, payload) in batch.control {
        put(&mut text, opcode, &payload);
    }
    for frame in batch.data {
        done.frames += 1;
        done.bytes += frame.payload.len();
        if frame.payload.len() <= COPIED_BYTES_MAX {
            put(&mut text, frame.opcode, frame.payload.bytes());
            continue;
        }
        let (head, head_bytes) = head_of(frame.opcode, frame.payload.bytes());
        text.extend_from_slice(&head[..head_bytes]);
        chunks.push(WriteChunk {
            bytes: std::mem::take(&mut text).into(),
            done: WrittenCount::default(),
        });
        chunks.push(WriteChunk {
            bytes: frame.payload.into_bytes(),
            done: std::mem::take(&mut done),
        });
    }
    if let Some(payload) = &close {
        put(&mut text, OpCode::Close, payload);
        done.close = true;
    }
    if !text.is_empty() {
        let bytes = text.into();
        chunks.push(WriteChunk { bytes, done });
    }
    chunks
}

fn put(text: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let (head, head_bytes) = head_of(opcode, payload);
    text.extend_from_slice(&head[..head_bytes]);
    text.extend_from_slice(payload);
}

fn write(
    half: &mut WriteHalf,
    cx: &mut Context<'_>,
    chunks: &[WriteChunk],
    sent: usize,
) -> Poll<io::Result<usize>> {
    let [first, rest @ ..] = chunks else {
        return Poll::Ready(Ok(0));
    };
    let first = &first.bytes[sent..];
    if rest.is_empty() {
        return half.poll_write(cx, first);
    }
    let rest = rest.iter().map(|chunk| IoSlice::new(&chunk.bytes));
    let slices: SmallVec<[IoSlice<'_>; 8]> =
        std::iter::once(IoSlice::new(first)).chain(rest).collect();
    half.poll_write_vectored(cx, &slices)
}

/// Lets go of the chunks that are written, and says what they completed.
fn advance(chunks: &mut WriteChunks, sent: &mut u32, written: usize) -> WrittenCount {
    let (mut all, mut complete) = (WrittenCount::default(), 0);
    let mut left = *sent as usize + written;
    for WriteChunk { bytes, done } in chunks.iter() {
        if left < bytes.len() {
            break;
        }
        left -= bytes.len();
        complete += 1;
        all.frames += done.frames;
        all.bytes += done.bytes;
        all.close |= done.close;
    }
    chunks.drain(..complete);
    // A chunk is a few frames, or one: far below 4 GiB.
    *sent = left as u32;
    all
}
