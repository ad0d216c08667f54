//! From the queue to the socket: as few writes as possible, and no task while nothing waits.
//!
//! Whoever pushed calls `Connection::flush`, which writes right there what waits, many frames in
//! one system call. Only when the socket is not ready does a task take over, until all is written.
//! This file is the writing itself; who may write when is `connection.rs`.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use tokio::task::AbortHandle;

use super::mailbox::Mailbox;
use super::outgoing::{Lane, Sending};
use super::queue::BATCH_FRAMES_MAX;
use super::stream::WriteHalf;

/// The writing side of one connection; `half` is gone once the connection is retired.
pub(super) struct Writer {
    pub(super) half: Option<WriteHalf>,
    /// The task that waits for the socket; while it lives nobody else may write.
    pub(super) flusher: Option<AbortHandle>,
    batch: VecDeque<Sending>,
    /// Bytes of the first frame of `batch` that are written.
    sent: usize,
    closed: bool,
}

/// A batch and the Close frame behind it.
const SLICED_FRAMES_MAX: usize = BATCH_FRAMES_MAX + 1;

/// What was written to the last byte.
#[derive(Default)]
struct Done {
    frames: usize,
    bytes: usize,
    close: bool,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    /// Nothing waits.
    Empty,
    /// The rounds are used up; more may wait.
    More,
    /// The Close frame is written.
    Closed,
}

impl Writer {
    pub(super) fn new(half: WriteHalf) -> Self {
        Self {
            half: Some(half),
            ..Self::local()
        }
    }

    /// A writer without a socket, which never writes.
    pub(super) fn local() -> Self {
        Self {
            half: None,
            flusher: None,
            batch: VecDeque::new(),
            sent: 0,
            closed: false,
        }
    }

    /// Writes what waits in `mailbox`, at most `rounds` writes.
    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        mailbox: &Mailbox,
        rounds: usize,
    ) -> Poll<io::Result<Drained>> {
        let half = self.half.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        for _ in 0..rounds {
            if self.batch.is_empty() && !mailbox.next_batch(&mut self.batch) {
                self.batch = VecDeque::new();
                ready!(half.poll_flush(cx))?;
                return Poll::Ready(Ok(if self.closed {
                    Drained::Closed
                } else {
                    Drained::Empty
                }));
            }
            let written = ready!(write_batch(half, cx, &self.batch, self.sent))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let done = advance(&mut self.batch, &mut self.sent, written);
            self.closed |= done.close;
            mailbox.written(done.frames, done.bytes);
        }
        Poll::Ready(Ok(Drained::More))
    }

    /// Gives up the socket and what was not written.
    pub(super) fn retire(&mut self) {
        if let Some(flusher) = self.flusher.take() {
            flusher.abort();
        }
        self.half = None;
        self.batch = VecDeque::new();
    }
}

fn write_batch(
    half: &mut WriteHalf,
    cx: &mut Context<'_>,
    batch: &VecDeque<Sending>,
    mut skip: usize,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); 2 * SLICED_FRAMES_MAX];
    let mut used = 0;
    for frame in batch.iter().take(SLICED_FRAMES_MAX) {
        for part in [&frame.head[..frame.head_bytes], &frame.payload[..]] {
            let skipped = skip.min(part.len());
            skip -= skipped;
            if skipped < part.len() {
                slices[used] = IoSlice::new(&part[skipped..]);
                used += 1;
            }
        }
    }
    half.poll_write_vectored(cx, &slices[..used])
}

fn advance(batch: &mut VecDeque<Sending>, sent: &mut usize, written: usize) -> Done {
    let mut done = Done::default();
    *sent += written;
    while let Some(front) = batch.front() {
        let length = front.head_bytes + front.payload.len();
        if *sent < length {
            break;
        }
        *sent -= length;
        match front.lane {
            Lane::Control => {}
            Lane::Data => {
                done.frames += 1;
                done.bytes += front.payload.len();
            }
            Lane::Close => done.close = true,
        }
        batch.pop_front();
    }
    done
}
