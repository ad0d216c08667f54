//! What comes from the gateway without having been asked, in the order in which it came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::connect::{AuthOk, Migrate};
use protocol::message::SendKind;
use protocol::presence::{BotRegistered, BotStatus, BotUnregistered, BotsList};
use protocol::t2b::frames::{BodyMembers, Delivered, ErrorData};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::error::Error;
use crate::unreadable::Unreadable;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
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
    Unreadable(Box<Unreadable>),
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
        error: Error,
    },
    /// A frame that asked for no answer was refused.
    Refused(ErrorData),
    /// The node goes; this client moves by itself.
    Migrate(Migrate),
    /// The connection ended. Without `retry_in` it is the last event.
    Disconnected {
        /// Why.
        error: Error,
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
/// Shape: at most [`events_max`](crate::Options::events_max) wait. Full: the newest are lost,
/// partials and typing silently, all others counted in [`Event::Lagged`]. The connection is read
/// all the same, so a program may wait for an answer while it handles an event.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<Event>,
    lost: Arc<AtomicU64>,
}

impl Events {
    /// The next event; none when the client has stopped. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        // Losses happen only while the queue is full, so `recv` cannot be waiting meanwhile.
        match self.lost.swap(0, Ordering::Relaxed) {
            0 => self.queue.recv().await,
            lost => Some(Event::Lagged { lost }),
        }
    }
}

/// The gateway's side of the queue.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    queue: mpsc::Sender<Event>,
    lost: Arc<AtomicU64>,
}

pub(crate) fn queue(events_max: usize) -> (Sink, Events) {
    let (sender, receiver) = mpsc::channel(events_max.max(1));
    let lost = Arc::new(AtomicU64::new(0));
    let sink = Sink {
        queue: sender,
        lost: Arc::clone(&lost),
    };
    let queue = receiver;
    (sink, Events { queue, lost })
}

impl Sink {
    /// Adds an event; never waits.
    pub fn push(&self, event: Event) {
        let best_effort = matches!(&event, Event::Partial(_) | Event::Typing(_))
            || matches!(&event, Event::Unreadable(frame) if frame.kind != SendKind::Message);
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

    fn refused() -> Event {
        Event::RegisterFailed {
            bot_id: "b".to_owned(),
            error: Error::Lost,
        }
    }

    #[tokio::test]
    async fn a_full_queue_counts_what_it_loses() {
        let (sink, mut events) = queue(2);
        (0..5).for_each(|_| sink.push(refused()));
        assert_eq!(events.next().await, Some(Event::Lagged { lost: 3 }));
        assert_eq!(events.next().await, Some(refused()));
        sink.push(Event::Lagged { lost: 9 });
        assert_eq!(events.next().await, Some(refused()));
        assert_eq!(events.next().await, Some(Event::Lagged { lost: 9 }));
        drop(sink);
        assert_eq!(events.next().await, None);
    }
}
