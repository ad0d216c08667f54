//! A connection without a socket: what it is told is taken by a task of this process, for a request
//! that came over HTTP.
//!
//! What is taken stays charged to the connection's limits until it is let go: a reply in many parts
//! can hold no more than any socket's queue, and whoever sends too much is told so.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use protocol::Outbound;

use super::connection::{ARRIVED, CLOSING, Connection, RESUMED};
use super::held::WriteLimits;
use super::outgoing::{Batch, Ended, Payload};
use super::reader::ReadLimits;

/// The end that takes; the connection is let go when it is dropped.
pub struct Local {
    connection: Arc<Connection>,
    batch: Batch,
}

/// What a local connection is told.
#[derive(Debug)]
pub enum Told {
    /// What a socket's peer would be sent.
    Outbound(Outbound),
    /// A pause is over: see [`Connection::resume`].
    Resumed,
    /// It was closed; nothing comes after this.
    Ended(Ended),
}

impl Local {
    /// A connection, and the end that takes what is pushed to it.
    pub fn new(limits: WriteLimits) -> (Arc<Connection>, Self) {
        let connection = Connection::local(limits);
        let local = Self {
            connection: Arc::clone(&connection),
            batch: Batch::default(),
        };
        (connection, local)
    }

    /// What it may send, if that was changed since it was asked last.
    pub fn take_read_limits(&self) -> Option<ReadLimits> {
        self.connection.take_read_limits()
    }

    /// Why it was closed, if it was, whatever is still to be taken.
    pub fn closed(&self) -> Option<Ended> {
        let why = self.connection.ended();
        (why != Ended::Lost).then_some(why)
    }

    /// What it is told next, in order. Cancel safe.
    pub async fn next(&mut self) -> Told {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Told> {
        let signals = self.connection.signals();
        // Registers the waker first: what is pushed from now on wakes this task.
        let told = signals.poll_any(cx, ARRIVED | RESUMED | CLOSING);
        if self.batch.is_empty() {
            signals.take(ARRIVED);
            self.batch = self.connection.next_batch();
            self.batch.control.clear();
        }
        while let Some(frame) = self.batch.data.pop_front() {
            if let Payload::Outbound(told) = frame.payload {
                return Poll::Ready(Told::Outbound(told.0));
            }
        }
        if let Some(why) = self.batch.close.take() {
            return Poll::Ready(Told::Ended(why));
        }
        if told.is_ready() && signals.take(RESUMED) {
            return Poll::Ready(Told::Resumed);
        }
        Poll::Pending
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.connection.retire();
    }
}

#[cfg(test)]
mod tests {
    use protocol::CloseCode;
    use protocol::connect::Pong;

    use super::*;
    use crate::ws::{Budget, Class, Outgoing, Push};

    #[tokio::test]
    async fn what_is_pushed_is_taken_in_order_and_stays_charged() {
        let budget = Budget::new(10, None);
        let (connection, mut local) = Local::new(WriteLimits {
            bytes: 8,
            frames: 3,
            budget: budget.clone(),
        });
        let told = |ms| {
            let pong = Pong { timestamp: ms };
            Outgoing::outbound(Outbound::Pong { id: None, pong }, 3, Class::Answer)
        };
        let waiting = tokio::spawn(async move {
            let first = local.next().await;
            (local, first)
        });
        tokio::task::yield_now().await;
        assert_eq!(connection.push(told(1), 0), Push::Queued);
        connection.flush();
        let (mut local, first) = waiting.await.unwrap();
        assert_eq!(ms_of(first), 1);
        assert_eq!(connection.push(told(2), 0), Push::Queued);
        assert_eq!(
            connection.push(told(6), 0),
            Push::Full,
            "what was taken counts"
        );
        connection.resume();
        assert_eq!(local.closed(), None);
        connection.close(CloseCode::Restart);
        assert_eq!(local.closed(), Some(Ended::Us(CloseCode::Restart)));
        assert_eq!(ms_of(local.next().await), 2);
        assert!(matches!(
            local.next().await,
            Told::Ended(Ended::Us(CloseCode::Restart))
        ));
        assert_eq!(budget.used(), 6);
        drop(local);
        assert_eq!(
            (budget.used(), connection.push(told(0), 0)),
            (0, Push::Gone)
        );
    }

    fn ms_of(told: Told) -> u64 {
        let Told::Outbound(Outbound::Pong { pong, .. }) = told else {
            panic!("it is told no pong: {told:?}");
        };
        pong.timestamp
    }
}
