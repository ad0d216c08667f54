//! The closing handshake. Source: RFC 6455 §7.1.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::connection::Connection;
use super::reader::{FrameReader, ReadState};
use super::signals::{BROKEN, CLOSE_WRITTEN};

/// Longest wait for our last frames to leave, and again for the peer's Close.
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Bytes thrown away while a connection closes; a peer that sends more is released at once.
///
/// What it had sent before it could see our Close is read, lest a reset overtakes that; this is
/// more than is usually under way. A flood goes on for as long as somebody reads it.
pub(super) const DISCARD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The closing handshake. Source: RFC 6455 §7.1.
///
/// What the peer still sends is read to the end of the stream: closing a socket with unread bytes
/// sends a reset, which may overtake our Close frame.
pub(super) async fn finish(reader: &mut FrameReader, connection: &Arc<Connection>) {
    connection.flush();
    let mut room = DISCARD_BYTES_MAX;
    let written = timeout(CLOSE_WAIT, close_written(reader, connection, &mut room)).await;
    if written.is_err() || connection.signals().any(BROKEN) {
        return connection.abort();
    }
    let farewell = async {
        discard(reader, &mut room, |input| input != ReadState::Open).await;
        poll_fn(|cx| connection.poll_shutdown(cx)).await;
        discard(reader, &mut room, |input| input == ReadState::Ended).await;
    };
    // Late or not, the socket is released.
    if timeout(CLOSE_WAIT, farewell).await.is_err() {
        connection.abort();
    }
}

/// Waits until the Close frame is written, or there is no room for what comes; reads meanwhile, lest
/// both sides wait to write.
async fn close_written(reader: &mut FrameReader, connection: &Connection, room: &mut usize) {
    poll_fn(|cx| {
        if connection
            .signals()
            .poll_any(cx, CLOSE_WRITTEN | BROKEN)
            .is_ready()
        {
            return Poll::Ready(());
        }
        while *room > 0 && reader.input() != ReadState::Ended {
            match reader.poll_discard(cx) {
                Poll::Ready(read) => *room = room.saturating_sub(read),
                Poll::Pending => return Poll::Pending,
            }
        }
        match *room {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
}

async fn discard(reader: &mut FrameReader, room: &mut usize, until: impl Fn(ReadState) -> bool) {
    while *room > 0 && !until(reader.input()) {
        let read = poll_fn(|cx| reader.poll_discard(cx)).await;
        *room = room.saturating_sub(read);
    }
}
