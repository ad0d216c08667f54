//! The two halves of a connection's byte stream, plain TCP or anything else (TLS).
//!
//! Plain TCP is split without a lock. Everything else goes through `tokio::io::split` and a box.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::server::TlsStream;

use super::socket_ends::SocketEnds;
use crate::progress::PacedStream;
use crate::socket_options;

/// The half that is read.
pub enum ReadHalf {
    /// A TCP socket.
    Plain(OwnedReadHalf),
    /// TLS, or in tests a pipe in memory.
    Boxed(Box<dyn AsyncRead + Send + Unpin>),
}

/// The half that is written.
pub enum WriteHalf {
    /// A TCP socket.
    Plain(OwnedWriteHalf),
    /// TLS, or in tests a pipe in memory.
    Boxed(Box<BoxedWrite>),
}

/// The written half of a stream that is not plain TCP.
pub struct BoxedWrite {
    stream: Box<dyn AsyncWrite + Send + Unpin>,
    /// Of the TCP socket below, if there is one.
    ends: Option<SocketEnds>,
}

/// Splits a plain socket.
pub(crate) fn split_plain(stream: TcpStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = stream.into_split();
    (ReadHalf::Plain(read), WriteHalf::Plain(write))
}

/// Splits any other stream.
pub(crate) fn split_boxed<S: AsyncRead + AsyncWrite + Send + 'static>(
    stream: S,
) -> (ReadHalf, WriteHalf) {
    split_over(stream, None)
}

fn split_over<S>(stream: S, ends: Option<SocketEnds>) -> (ReadHalf, WriteHalf)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (read, write) = tokio::io::split(stream);
    let stream = Box::new(write);
    (
        ReadHalf::Boxed(Box::new(read)),
        WriteHalf::Boxed(Box::new(BoxedWrite { stream, ends })),
    )
}

/// Takes the stream back from hyper after an upgrade; the bytes are those hyper had already read.
///
/// A connection that was served as `TokioIo<TcpStream>`, or as our listener serves it, becomes plain,
/// any other boxed; of TLS over TCP the addresses stay known.
pub fn split_upgraded(upgraded: Upgraded) -> (ReadHalf, WriteHalf, Bytes) {
    let upgraded = match stream_of::<PacedStream<TcpStream>>(upgraded) {
        Ok((stream, read)) => {
            let (stream, read) = stream.into_inner(read);
            socket_options::for_websocket(&stream);
            return with_plain(stream, read);
        }
        Err(upgraded) => upgraded,
    };
    let upgraded = match stream_of::<PacedStream<TlsStream<TcpStream>>>(upgraded) {
        Ok((stream, read)) => {
            let (stream, read) = stream.into_inner(read);
            socket_options::for_websocket(stream.get_ref().0);
            return with_tls(stream, read);
        }
        Err(upgraded) => upgraded,
    };
    match stream_of::<TcpStream>(upgraded) {
        Ok((stream, read)) => with_plain(stream, read),
        Err(upgraded) => {
            let (read, write) = split_boxed(TokioIo::new(upgraded));
            (read, write, Bytes::new())
        }
    }
}

fn stream_of<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    upgraded: Upgraded,
) -> Result<(S, Bytes), Upgraded> {
    let parts = upgraded.downcast::<TokioIo<S>>()?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

fn with_plain(stream: TcpStream, read_already: Bytes) -> (ReadHalf, WriteHalf, Bytes) {
    let (read, write) = split_plain(stream);
    (read, write, read_already)
}

fn with_tls(stream: TlsStream<TcpStream>, read_already: Bytes) -> (ReadHalf, WriteHalf, Bytes) {
    let ends = SocketEnds::of(stream.get_ref().0);
    let (read, write) = split_over(stream, ends);
    (read, write, read_already)
}

impl ReadHalf {
    /// Reads once; nothing is the end of the stream.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(half) => Pin::new(half).poll_read(cx, room),
            Self::Boxed(half) => Pin::new(half).poll_read(cx, room),
        }
    }

    /// Reads into the spare room of `buffer`; 0 is the end of the stream.
    pub(super) fn poll_read_buf(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        // `read_buf` holds no state of its own, so a future made anew for each poll loses nothing.
        match self {
            Self::Plain(half) => std::pin::pin!(half.read_buf(buffer)).poll(cx),
            Self::Boxed(half) => std::pin::pin!(half.read_buf(buffer)).poll(cx),
        }
    }
}

impl WriteHalf {
    fn inner(&mut self) -> Pin<&mut (dyn AsyncWrite + Send + Unpin)> {
        match self {
            Self::Plain(half) => Pin::new(half),
            Self::Boxed(half) => Pin::new(half.stream.as_mut()),
        }
    }

    /// The addresses of its socket, if it has one.
    pub(super) fn ends(&self) -> Option<SocketEnds> {
        match self {
            Self::Plain(half) => SocketEnds::of(half.as_ref()),
            Self::Boxed(half) => half.ends,
        }
    }

    /// Makes the end of the socket a reset: what the kernel still holds for a peer that does not read
    /// is freed at once, and not when it gives up.
    pub(super) fn abort(&self) {
        if let Self::Plain(half) = self {
            // A socket that is broken already holds nothing.
            let _ = socket2::SockRef::from(half.as_ref()).set_linger(Some(Duration::ZERO));
        }
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, bytes)
    }

    pub(super) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(cx, slices)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}
