//! A connection without a socket: what it is told is taken by a task of this process, for a request
//! that came over HTTP.
//!
//! What is taken stays charged to the connection's limits until it is released: a reply in many parts
//! can hold no more than any socket's queue, and whoever sends too much is told so.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use protocol::Outbound;

use super::connection::Connection;
use super::held::WriteLimits;
use super::outgoing::{ConnectionEnd, FramePayload, OutgoingBatch};
use super::reader::ReadLimits;
use super::signals::{ARRIVED, CLOSING, RESUMED};

/// The end that takes; the connection is released when it is dropped.
pub(crate) struct LocalConnection {
    connection: Arc<Connection>,
    batch: OutgoingBatch,
}

/// What a local connection is told.
#[derive(Debug)]
pub(crate) enum LocalEvent {
    /// What a socket's peer would be sent.
    Outbound(Outbound),
    /// A pause is over: see [`Connection::resume`].
    Resumed,
    /// It was closed; nothing comes after this.
    Ended(ConnectionEnd),
}

impl LocalConnection {
    /// A connection, and the end that takes what is pushed to it.
    pub fn new(limits: WriteLimits) -> (Arc<Connection>, Self) {
        let connection = Connection::local(limits);
        let local = Self {
            connection: Arc::clone(&connection),
            batch: OutgoingBatch::default(),
        };
        (connection, local)
    }

    /// What it may send, if that was changed since it was asked last.
    pub(crate) fn take_read_limits(&self) -> Option<ReadLimits> {
        self.connection.take_read_limits()
    }

    /// Why it was closed, if it was, whatever is still to be taken.
    pub fn closed(&self) -> Option<ConnectionEnd> {
        let why = self.connection.ended();
        (why != ConnectionEnd::Lost).then_some(why)
    }

    /// What it is told next, in order. Cancel safe.
    pub async fn next(&mut self) -> LocalEvent {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<LocalEvent> {
        let signals = self.connection.signals();
        // Registers the waker first: what is pushed from now on wakes this task.
        let told = signals.poll_any(cx, ARRIVED | RESUMED | CLOSING);
        if self.batch.is_empty() {
            signals.take(ARRIVED);
            self.batch = self.connection.next_batch();
            self.batch.control.clear();
        }
        while let Some(frame) = self.batch.data.pop_front() {
            if let FramePayload::Outbound(told) = frame.payload {
                return Poll::Ready(LocalEvent::Outbound(told.0));
            }
        }
        if let Some(why) = self.batch.close.take() {
            return Poll::Ready(LocalEvent::Ended(why));
        }
        if told.is_ready() && signals.take(RESUMED) {
            return Poll::Ready(LocalEvent::Resumed);
        }
        Poll::Pending
    }
}

impl Drop for LocalConnection {
    fn drop(&mut self) {
        self.connection.retire();
    }
}

#[cfg(test)]
mod tests {
    use protocol::CloseCode;
    use protocol::connect::Pong;

    use super::*;
    use crate::ws::{Budget, OutgoingFrame, PushOutcome, QueueClass};

    #[tokio::test]
    async fn what_is_pushed_is_taken_in_order_and_stays_charged() {
        let budget = Budget::new(10, None);
        let (connection, mut local) = LocalConnection::new(WriteLimits {
            bytes: 8,
            frames: 3,
            budget: budget.clone(),
        });
        let told = |ms| {
            let pong = Pong { timestamp: ms };
            OutgoingFrame::outbound(Outbound::Pong { id: None, pong }, 3, QueueClass::Answer)
        };
        let waiting = tokio::spawn(async move {
            let first = local.next().await;
            (local, first)
        });
        tokio::task::yield_now().await;
        assert_eq!(connection.push(told(1), 0), PushOutcome::Queued);
        connection.flush();
        let (mut local, first) = waiting.await.unwrap();
        assert_eq!(ms_of(first), 1);
        assert_eq!(connection.push(told(2), 0), PushOutcome::Queued);
        assert_eq!(
            connection.push(told(6), 0),
            PushOutcome::Full,
            "what was taken counts"
        );
        connection.resume();
        assert_eq!(local.closed(), None);
        connection.close(CloseCode::Restart);
        assert_eq!(local.closed(), Some(ConnectionEnd::Us(CloseCode::Restart)));
        assert_eq!(ms_of(local.next().await), 2);
        assert!(matches!(
            local.next().await,
            LocalEvent::Ended(ConnectionEnd::Us(CloseCode::Restart))
        ));
        assert_eq!(budget.used(), 6);
        drop(local);
        assert_eq!(
            (budget.used(), connection.push(told(0), 0)),
            (0, PushOutcome::Gone)
        );
    }

    fn ms_of(told: LocalEvent) -> u64 {
        let LocalEvent::Outbound(Outbound::Pong { pong, .. }) = told else {
            panic!("it is told no pong: {told:?}");
        };
        pong.timestamp
    }
}
