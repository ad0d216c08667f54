//! The dialects: how the messages of a socket become requests, and how what a connection is told
//! becomes what its queue holds.
//!
//! | dialect | reads | writes |
//! | --- | --- | --- |
//! | T2B | one frame a message | a frame for each meaning |
//! | HTTP | no messages: its calls are typed | no text: the task that answers the request takes the meanings |
//!
//! A dialect does no I/O and asks no clock. It is called inside a session's or a shard's critical
//! section: if it has state, its lock is a leaf. A delivery is encoded once for each dialect; see
//! [`Shared`](protocol::Shared).
//!
//! To add a dialect: its decoder and encoder go beside `protocol/src/t2b/`, its place in
//! [`Shared`](protocol::Shared) is a `DialectKind` in `protocol/src/dialect.rs`, and [`Dialect`] gets a
//! variant. `line.rs` is the smallest example; only tests have it.

mod decoded;
mod frame_time;
#[cfg(test)]
mod line;
mod t2b;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use protocol::Outbound;

use crate::ws::{OutgoingFrame, QueueClass};
use decoded::DecodedRequest;
pub(crate) use frame_time::FrameTime;

/// The dialect of one connection. The closed list.
#[derive(Debug)]
pub(crate) enum Dialect {
    /// T2B, on `/ws`.
    T2b,
    /// A call over HTTP.
    Http,
    /// Lines of text.
    #[cfg(test)]
    Line(line::LineDialect),
}

impl Dialect {
    /// Hands over what a message asks, in order: at least one request, so that a rate pays for the
    /// message, and none behind `auth`, which others wait for.
    ///
    /// `text`: UTF-8. A body is a slice of it.
    #[inline]
    pub(crate) fn decode(&self, text: &Bytes, mut take: impl FnMut(DecodedRequest)) {
        match self {
            Dialect::T2b => take(protocol::t2b::decode(text)),
            Dialect::Http => {}
            #[cfg(test)]
            Dialect::Line(line) => line.decode(text, take),
        }
    }

    /// What the connection's queue holds for what it is told. `None`: the dialect has no words for
    /// that; every dialect has some for messages, acks and refusals.
    #[inline]
    pub(crate) fn encode(
        &self,
        outbound: Outbound,
        class: QueueClass,
        time: FrameTime,
    ) -> Option<OutgoingFrame> {
        match self {
            Dialect::T2b => Some(OutgoingFrame::text(t2b::encode(outbound, time), class)),
            Dialect::Http => {
                let bytes = outbound.charged_bytes();
                Some(OutgoingFrame::outbound(outbound.detach(), bytes, class))
            }
            #[cfg(test)]
            Dialect::Line(line) => Some(OutgoingFrame::text(line.encode(&outbound)?, class)),
        }
    }
}
