//! Whose turn it is on an HTTP connection, and whether its peer moves on.
//!
//! ```text
//!  accept ─▶ peer: TLS, head ─▶ ours: the request is handled ─▶ peer: takes the answer, sends the next head ─▶ ours …
//! ```
//!
//! | peer's turn | ends the connection |
//! | --- | --- |
//! | TLS and the first head | `handshake_timeout` after accept, whatever arrives: bytes that trickle do not prolong it |
//! | the answer | within `handshake_timeout` after the last [`PROGRESS_BYTES`] that the peer took |
//! | the next head | `handshake_timeout` after the peer took the whole answer |
//!
//! Taken is what the peer's system has acknowledged: what was written to the socket less what the
//! kernel still holds.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::sock_diag::SockDiag;
use crate::ws::SocketEnds;

/// Fewest bytes in a `handshake_timeout` that count as progress, of an answer and of a request's body:
/// 0.4 KB/s by default, far below any network that is of use.
pub(crate) const PROGRESS_BYTES: u64 = 4096;
/// How often the progress of an answer is looked at in one `handshake_timeout`.
const LOOKS: u32 = 8;

/// What the stream, the service and the deadline of one connection share.
#[derive(Debug)]
pub(crate) struct Turns {
    ours: watch::Sender<bool>,
    /// Whether the first head has come.
    begun: AtomicBool,
    /// Bytes that the stream has taken for the peer.
    written: AtomicU64,
    /// `written` when the answer began.
    answer_from: AtomicU64,
    /// Whether the answer is written as a whole, so that the peer's end may be seen.
    answered: AtomicBool,
    /// Whether the peer has ended its sending side.
    ended: watch::Sender<bool>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            ours: watch::Sender::default(),
            begun: AtomicBool::default(),
            written: AtomicU64::default(),
            answer_from: AtomicU64::default(),
            answered: AtomicBool::new(true),
            ended: watch::Sender::default(),
        }
    }
}

impl Turns {
    /// A head has come.
    pub(crate) fn ours(&self) {
        self.begun.store(true, Ordering::Relaxed);
        self.answered.store(false, Ordering::Relaxed);
        self.ours.send_replace(true);
    }

    /// The answer goes.
    pub(crate) fn peers(&self) {
        let written = self.written.load(Ordering::Relaxed);
        self.answer_from.store(written, Ordering::Relaxed);
        self.ours.send_replace(false);
    }

    /// Whether a head has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Returns once the peer has ended its sending side.
    pub(crate) async fn input_ended(&self) {
        // The sender is `self`: it outlives this.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Returns once the peer has stood still for `limit` in a turn of its own.
    pub(crate) async fn peer_too_slow(&self, limit: Duration, ends: Option<SocketEnds>) {
        let mut turns = self.ours.subscribe();
        loop {
            let is_ours = *turns.borrow_and_update();
            // The sender is `self`: it outlives this.
            if is_ours {
                let _ = turns.changed().await;
                continue;
            }
            tokio::select! {
                _ = turns.changed() => {}
                () = self.stands_still(limit, ends) => return,
            }
        }
    }

    /// Returns once this turn of the peer's has no progress for `limit`.
    async fn stands_still(&self, limit: Duration, ends: Option<SocketEnds>) {
        let mut last = Instant::now();
        if !self.has_begun() {
            return sleep_until(last + limit).await;
        }
        // Of the first look on: before it the kernel may hold bytes of an earlier answer.
        let mut taken = None;
        // All that had been written when nothing was left to take.
        let mut settled = None;
        // Progress of an answer is seen up to one look late.
        let allowed = |settled: Option<u64>| match settled {
            Some(_) => limit,
            None => limit - limit / LOOKS,
        };
        loop {
            let next_look = Instant::now() + limit / LOOKS;
            sleep_until(next_look.min(last + allowed(settled))).await;
            let written = self.written.load(Ordering::Relaxed);
            if settled != Some(written) {
                let now_taken = written.saturating_sub(unacked(ends));
                let is_whole = now_taken == written;
                let newly = now_taken.saturating_sub(*taken.get_or_insert(now_taken));
                if newly >= PROGRESS_BYTES || (is_whole && newly > 0) {
                    (taken, last) = (Some(now_taken), Instant::now());
                }
                settled = is_whole.then_some(written);
            }
            if last.elapsed() >= allowed(settled) {
                return;
            }
        }
    }

    fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// All that was written so far has left the stream's own buffers.
    fn flushed(&self) {
        let began = self.answer_from.load(Ordering::Relaxed);
        if !*self.ours.borrow() && self.written.load(Ordering::Relaxed) > began {
            self.answered.store(true, Ordering::Relaxed);
        }
    }
}

/// Bytes that the kernel holds for the peer; 0 where it does not tell: then only what it takes from
/// us counts, which a slow peer makes a little late.
fn unacked(ends: Option<SocketEnds>) -> u64 {
    let held = ends.and_then(|ends| SockDiag::open().ok()?.ask(&[ends]).ok()?.pop()?);
    held.map_or(0, |held| u64::from(held.unacked))
}

/// A stream whose bytes are counted, and whose end is not seen before the answer is written.
///
/// hyper takes the end of a request's stream for a peer that is gone, and drops the answer. A peer may
/// end its sending side and still read, as `nc -N` does; one that is gone resets the connection as
/// soon as something is written to it.
#[derive(Debug)]
pub(crate) struct PacedStream<S> {
    stream: S,
    turns: Arc<Turns>,
}

impl<S> PacedStream<S> {
    pub(crate) fn new(stream: S, turns: Arc<Turns>) -> Self {
        Self { stream, turns }
    }

    /// The stream as it was.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = room.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, room);
        let is_end = matches!(polled, Poll::Ready(Ok(())))
            && room.filled().len() == before
            && room.remaining() > 0;
        if !is_end {
            return polled;
        }
        self.turns.ended.send_replace(true);
        if self.turns.answered.load(Ordering::Relaxed) {
            return polled;
        }
        // Nobody has to be woken: the end is still there when the answer is written, and hyper reads
        // again then.
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = polled {
            self.turns.wrote(bytes);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if let Poll::Ready(Ok(bytes)) = polled {
            self.turns.wrote(bytes);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.turns.flushed();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
