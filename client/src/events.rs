//! What the gateway sends unasked, in the order of arrival.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::connect::{AuthOk, Migrate};
use protocol::message::SendKind;
use protocol::plan::QuotaStatus;
use protocol::presence::{BotRegistered, BotStatus, BotUnregistered, BotsList};
use protocol::t2b::frames::{BodyMembers, Delivered, ErrorData};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::error::ClientError;
use crate::unreadable::UnreadableMessage;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent {
    /// A connection is up, the first or a later one.
    Connected(Box<AuthOk>),
    /// The bots there are, told once after each `Connected`.
    Bots(BotsList),
    /// A message.
    Message(Box<Delivered>),
    /// What there is of a message so far.
    Partial(Box<Delivered>),
    /// Somebody types.
    Typing(Box<Delivered>),
    /// A message, partial or typing whose body cannot be read: it is there as it came.
    Unreadable(Box<UnreadableMessage>),
    /// A bot came, went or changed.
    BotStatus(BotStatus),
    /// A bot of ours is registered, again after each reconnect.
    Registered(BotRegistered),
    /// A bot of ours was taken over; it is not registered again by itself.
    Unregistered(BotUnregistered),
    /// A bot of ours could not be registered again after a reconnect, and is given up.
    RegisterFailed {
        /// The bot.
        bot_id: String,
        /// Why.
        error: ClientError,
    },
    /// A frame that asked for no answer was refused.
    Refused(ErrorData),
    /// The tenant has reached a soft allowance of its plan.
    Quota(QuotaStatus),
    /// The node goes; this client moves by itself.
    Migrate(Migrate),
    /// The connection ended. Without `retry_in` it is the last event.
    Disconnected {
        /// Why.
        error: ClientError,
        /// When the next attempt is made.
        retry_in: Option<Duration>,
    },
    /// The queue of events was full: that many others are lost.
    Lagged {
        /// How many; partials and typing are not counted.
        lost: u64,
    },
}

/// The queue of events.
///
/// Shape: at most [`events_max`](crate::ConnectOptions::events_max) wait. Full: the newest are lost,
/// partials and typing silently, all others counted in [`ClientEvent::Lagged`]. The connection is read
/// all the same, so a program may wait for an answer while it handles an event.
#[derive(Debug)]
pub struct EventStream {
    queue: mpsc::Receiver<ClientEvent>,
    lost: Arc<AtomicU64>,
}

impl EventStream {
    /// The next event; none when the client has stopped. Cancel safe.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        // Losses happen only while the queue is full, so `recv` cannot be waiting meanwhile.
        match self.lost.swap(0, Ordering::Relaxed) {
            0 => self.queue.recv().await,
            lost => Some(ClientEvent::Lagged { lost }),
        }
    }
}

/// The gateway's side of the queue.
#[derive(Debug, Clone)]
pub(crate) struct EventSink {
    queue: mpsc::Sender<ClientEvent>,
    lost: Arc<AtomicU64>,
}

pub(crate) fn queue(events_max: usize) -> (EventSink, EventStream) {
    let (sender, receiver) = mpsc::channel(events_max.max(1));
    let lost = Arc::new(AtomicU64::new(0));
    let sink = EventSink {
        queue: sender,
        lost: Arc::clone(&lost),
    };
    let queue = receiver;
    (sink, EventStream { queue, lost })
}

impl EventSink {
    /// Adds an event; never waits.
    pub fn push(&self, event: ClientEvent) {
        let best_effort = matches!(&event, ClientEvent::Partial(_) | ClientEvent::Typing(_))
            || matches!(&event, ClientEvent::Unreadable(frame) if frame.kind != SendKind::Message);
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(event)
            && !best_effort
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The members of a delivered body that the protocol knows. One of another type than the protocol's
/// is left out.
pub fn members_of(delivered: &Delivered) -> BodyMembers {
    // The gateway checked the members of a frame's own type; others may have any shape.
    let read = |body: Map<String, Value>| serde_json::from_value(Value::Object(body));
    read(delivered.body.clone()).unwrap_or_else(|_| {
        let members = delivered.body.clone().into_iter();
        let fits = |name: &String, value: &Value| {
            let one = Map::from_iter([(name.clone(), value.clone())]);
            read(one).is_ok_and(|_: BodyMembers| true)
        };
        read(members.filter(|(name, value)| fits(name, value)).collect()).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> ClientEvent {
        ClientEvent::RegisterFailed {
            bot_id: "b".to_owned(),
            error: ClientError::Lost,
        }
    }

    #[tokio::test]
    async fn a_full_queue_counts_what_it_loses() {
        let (sink, mut events) = queue(2);
        (0..5).for_each(|_| sink.push(refused()));
        assert_eq!(events.next().await, Some(ClientEvent::Lagged { lost: 3 }));
        assert_eq!(events.next().await, Some(refused()));
        sink.push(ClientEvent::Lagged { lost: 9 });
        assert_eq!(events.next().await, Some(refused()));
        assert_eq!(events.next().await, Some(ClientEvent::Lagged { lost: 9 }));
        drop(sink);
        assert_eq!(events.next().await, None);
    }
}
