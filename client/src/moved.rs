//! When bytes last moved on a connection: they are a sign of life, however long a frame takes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};

/// When bytes last came, or were last taken after the peer had no room for them.
#[derive(Debug, Clone)]
pub(crate) struct ByteActivity {
    since: Instant,
    last_ms: Arc<AtomicU64>,
}

impl ByteActivity {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            last_ms: Arc::default(),
        }
    }

    /// The moment, to the millisecond.
    pub fn at(&self) -> Instant {
        self.since + Duration::from_millis(self.last_ms.load(Relaxed))
    }

    fn note(&self) {
        let ms = self.since.elapsed().as_millis();
        self.last_ms
            .store(u64::try_from(ms).unwrap_or(u64::MAX), Relaxed);
    }

    /// Waits for `future` as long as bytes move. `None`: none did for `patience`.
    pub async fn wait<T>(&self, patience: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        loop {
            let begun = Instant::now();
            match timeout(patience, &mut future).await {
                Ok(done) => return Some(done),
                Err(_) if self.at() > begun => {}
                Err(_) => return None,
            }
        }
    }
}

/// A stream that notes when its bytes move.
#[derive(Debug)]
pub(crate) struct WatchedStream<S> {
    stream: S,
    moved: ByteActivity,
    /// The last write found no room.
    is_full: bool,
}

impl<S> WatchedStream<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            moved: ByteActivity::new(),
            is_full: false,
        }
    }

    pub fn moved(&self) -> ByteActivity {
        self.moved.clone()
    }

    /// What a socket takes at once says nothing of the peer.
    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if self.is_full && matches!(written, Poll::Ready(Ok(1..))) {
            self.moved.note();
        }
        self.is_full = written.is_pending();
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.moved.note();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
