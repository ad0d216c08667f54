//! What a peer sends behind a request that is not answered yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

/// Most bytes that a peer may send behind a request which is not answered, besides those that hyper
/// read together with it: nobody needs more, and every connection can hold so much.
const AHEAD_BYTES_MAX: usize = 8 * 1024;
/// How many of them are read at once.
const AHEAD_READ_BYTES: usize = 2048;

/// Bytes that were read before hyper asked for them.
///
/// hyper leaves them to the kernel, which would hold as much as its receive buffer takes.
#[derive(Debug, Default)]
pub(super) struct ReadAhead(BytesMut);

impl ReadAhead {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads once from `stream`. Ready with whether it has ended; an error if the peer sends more than
    /// [`AHEAD_BYTES_MAX`].
    pub(super) fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        let mut room = [0; AHEAD_READ_BYTES];
        let mut room = ReadBuf::new(&mut room);
        std::task::ready!(Pin::new(stream).poll_read(cx, &mut room))?;
        if self.0.len() + room.filled().len() > AHEAD_BYTES_MAX {
            return Poll::Ready(Err(io::Error::other("too much behind a request")));
        }
        self.0.extend_from_slice(room.filled());
        Poll::Ready(Ok(room.filled().is_empty()))
    }

    /// Moves as much into `room` as fits.
    pub(super) fn move_to(&mut self, room: &mut ReadBuf<'_>) {
        let bytes = self.0.len().min(room.remaining());
        room.put_slice(&self.0.split_to(bytes));
        if self.0.is_empty() {
            // Its memory goes, too: most connections never read ahead again.
            self.0 = BytesMut::new();
        }
    }

    /// `read`, followed by what was read ahead.
    pub(super) fn behind(self, read: Bytes) -> Bytes {
        if self.0.is_empty() {
            return read;
        }
        let mut all = BytesMut::from(read);
        all.extend_from_slice(&self.0);
        all.freeze()
    }
}
