//! The stream below hyper on an HTTP connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::ahead::ReadAhead;
use super::turns::ConnectionTurns;

/// A stream whose bytes are counted, and whose end is not seen before the answer is written.
///
/// What a peer sends behind a request that is not answered is read here, up to a limit: see [`ReadAhead`].
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
    turns: Arc<ConnectionTurns>,
    ahead: ReadAhead,
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
    pub(crate) fn new(stream: S, turns: Arc<ConnectionTurns>) -> Self {
        Self {
            stream,
            turns,
            ahead: ReadAhead::default(),
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
        (self.stream, self.ahead.behind(read))
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
            match self.ahead.poll_fill(&mut self.stream, cx)? {
                Poll::Ready(true) => {
                    self.turns.ended.send_replace(true);
                }
                Poll::Ready(false) => {}
                Poll::Pending => break,
            }
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
            self.ahead.move_to(room);
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
