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
//! A large answer is charged to its tenant until the peer has taken it: the kernel holds it until then.
//!
//! Taken is what the peer's system has acknowledged: what was written to the socket less what the
//! kernel still holds.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::server::TlsStream;

use crate::sock_diag::SockDiag;
use crate::ws::SocketEnds;
use crate::ws::budget::Charge;

/// Fewest bytes in a `handshake_timeout` that count as progress, of an answer and of a request's body:
/// 0.4 KB/s by default, far below any network that is of use.
pub(crate) const PROGRESS_BYTES: u64 = 4096;
/// How often the progress of an answer is looked at in one `handshake_timeout`.
const LOOKS: u32 = 8;
/// When it is looked at first while a tenant is charged with it: most peers have taken it by then.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// Most bytes that a peer may send behind a request which is not answered, besides those that hyper
/// read together with it: nobody needs more, and every connection can hold so much.
const AHEAD_BYTES_MAX: usize = 8 * 1024;
/// How many of them are read at once.
const AHEAD_READ_BYTES: usize = 2048;

/// What the stream, the service and the deadline of one connection share.
#[derive(Debug)]
pub(crate) struct Turns {
    ends: Option<SocketEnds>,
    ours: watch::Sender<bool>,
    /// Whether nobody reads any more of the request: it is all here.
    body_ended: AtomicBool,
    /// Answers that the peer has not taken as a whole, the newest last.
    untaken: Mutex<Vec<Charge>>,
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

impl Turns {
    /// `ends`: what the kernel is asked about the connection by.
    pub(crate) fn new(ends: Option<SocketEnds>) -> Self {
        Self {
            ends,
            ours: watch::Sender::default(),
            body_ended: AtomicBool::default(),
            untaken: Mutex::default(),
            begun: AtomicBool::default(),
            written: AtomicU64::default(),
            answer_from: AtomicU64::default(),
            answered: AtomicBool::new(true),
            ended: watch::Sender::default(),
        }
    }

    /// A head has come; `is_whole`: there is no body.
    pub(crate) fn ours(&self, is_whole: bool) {
        // Whoever asks again has read the last answer, or holds it in the kernel.
        self.look_at_untaken();
        self.body_ended.store(is_whole, Ordering::Relaxed);
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

    /// The body of the request is all here.
    pub(crate) fn body_ended(&self) {
        self.body_ended.store(true, Ordering::Relaxed);
    }

    /// Keeps the charge for an answer until the peer has taken that.
    pub(crate) fn charge_until_taken(&self, charge: Charge) {
        self.untaken().push(charge);
    }

    fn untaken(&self) -> std::sync::MutexGuard<'_, Vec<Charge>> {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the peer has not taken an answer that somebody is charged with.
    fn is_owed(&self) -> bool {
        !self.untaken().is_empty()
    }

    fn look_at_untaken(&self) {
        if self.is_owed() {
            self.taken_but(unacked(self.ends));
        }
    }

    /// Gives back the charges but for so many bytes, unless some are not written yet.
    fn taken_but(&self, mut unacked: u64) {
        if !self.answered.load(Ordering::Relaxed) {
            return;
        }
        let mut untaken = self.untaken();
        for charge in untaken.iter_mut().rev() {
            charge.set_anyway(charge.bytes().min(unacked));
            unacked -= charge.bytes();
        }
        untaken.retain(|charge| charge.bytes() > 0);
    }

    /// Whether nobody reads what the peer sends now.
    fn is_deaf(&self) -> bool {
        !self.answered.load(Ordering::Relaxed)
            && (self.body_ended.load(Ordering::Relaxed) || !*self.ours.borrow())
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
    pub(crate) async fn peer_too_slow(&self, limit: Duration) {
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
                () = self.stands_still(limit) => return,
            }
        }
    }

    /// Returns once this turn of the peer's has no progress for `limit`.
    async fn stands_still(&self, limit: Duration) {
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
        let mut wait = match self.is_owed() {
            true => FIRST_LOOK.min(limit / LOOKS),
            false => limit / LOOKS,
        };
        loop {
            let next_look = Instant::now() + std::mem::replace(&mut wait, limit / LOOKS);
            sleep_until(next_look.min(last + allowed(settled))).await;
            let written = self.written.load(Ordering::Relaxed);
            if settled != Some(written) {
                let unacked = unacked(self.ends);
                self.taken_but(unacked);
                let now_taken = written.saturating_sub(unacked);
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
/// What a peer sends behind a request that is not answered is read here, as hyper leaves it to the
/// kernel, which would hold as much as its buffer takes. More than [`AHEAD_BYTES_MAX`] is an error.
///
/// It is not shut before the peer has taken what its tenant is charged with: of a closed socket the kernel
/// keeps the answer, and no tenant would be charged with it.
///
/// hyper takes the end of a request's stream for a peer that is gone, and drops the answer. A peer may
/// end its sending side and still read, as `nc -N` does; one that is gone resets the connection as
/// soon as something is written to it.
#[derive(Debug)]
pub(crate) struct PacedStream<S> {
    stream: S,
    turns: Arc<Turns>,
    ahead: BytesMut,
    /// Whether its end is a reset, so that the kernel does not go on holding an answer.
    resets: bool,
    /// Whether nothing more is written.
    is_shut: bool,
}

/// What a [`PacedStream`] is made of.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// The socket below.
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl<S> PacedStream<S> {
    pub(crate) fn new(stream: S, turns: Arc<Turns>) -> Self {
        Self {
            stream,
            turns,
            ahead: BytesMut::new(),
            resets: false,
            is_shut: false,
        }
    }

    /// The stream as it was, with its end as usual, and what was read of it: `read` is what hyper has.
    pub(crate) fn into_inner(mut self, read: Bytes) -> (S, Bytes)
    where
        S: Transport,
    {
        self.reset_at_end(false);
        if self.ahead.is_empty() {
            return (self.stream, read);
        }
        let mut all = BytesMut::from(read);
        all.extend_from_slice(&self.ahead);
        (self.stream, all.freeze())
    }
}

impl<S: Transport> PacedStream<S> {
    /// Has the stream end with a reset, or as usual.
    fn reset_at_end(&mut self, resets: bool) {
        if self.resets != resets {
            let linger = resets.then_some(Duration::ZERO);
            // A socket that is broken already holds nothing.
            let _ = SockRef::from(self.stream.tcp()).set_linger(linger);
            self.resets = resets;
        }
    }

    fn after_write(
        &mut self,
        polled: &Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        match polled {
            Poll::Ready(Ok(bytes)) => {
                self.turns.wrote(*bytes);
                if self.turns.is_owed() {
                    self.reset_at_end(true);
                }
                Ok(())
            }
            Poll::Ready(Err(_)) => Ok(()),
            // hyper does not flush before it has written.
            Poll::Pending => self.read_ahead(cx),
        }
    }

    /// Reads what nobody else reads now. Errors: the peer sends too much of it.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while (self.is_shut || self.turns.is_deaf()) && !*self.turns.ended.borrow() {
            let mut room = [0; AHEAD_READ_BYTES];
            let mut room = ReadBuf::new(&mut room);
            if Pin::new(&mut self.stream)
                .poll_read(cx, &mut room)?
                .is_pending()
            {
                break;
            }
            if room.filled().is_empty() {
                self.turns.ended.send_replace(true);
            }
            if self.ahead.len() + room.filled().len() > AHEAD_BYTES_MAX {
                return Err(io::Error::other("too much behind a request"));
            }
            self.ahead.extend_from_slice(room.filled());
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let bytes = self.ahead.len().min(room.remaining());
            room.put_slice(&self.ahead.split_to(bytes));
            if self.ahead.is_empty() {
                self.ahead = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
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

impl<S: Transport> AsyncWrite for PacedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.after_write(&polled, cx)?;
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.after_write(&polled, cx)?;
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
        // Whether something is written or not, hyper flushes each time that it is woken.
        self.read_ahead(cx)?;
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        if self.turns.is_owed() {
            self.read_ahead(cx)?;
            if *self.turns.ended.borrow() {
                self.turns.look_at_untaken();
            }
        }
        // The end of the stream wakes this, and each look at what the peer has taken.
        if self.turns.is_owed() {
            return Poll::Pending;
        }
        self.reset_at_end(false);
        Poll::Ready(Ok(()))
    }
}
