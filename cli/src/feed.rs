//! A client's events, and what a person is told of its connection meanwhile.

use client::{Event, Events};

use crate::failure::Failure;
use crate::term;

/// The events, as they come. Says on stderr why the connection is lost, when the next attempt is made,
/// and when it is back.
pub struct Feed {
    events: Events,
    lost: bool,
}

impl Feed {
    /// What `events` tells.
    pub fn new(events: Events) -> Self {
        Self {
            events,
            lost: false,
        }
    }

    /// The next event. Errors: the connection ended for good. Cancel safe.
    pub async fn next(&mut self) -> Result<Event, Failure> {
        let Some(event) = self.events.next().await else {
            return Err(client::Error::Stopped.into());
        };
        match &event {
            Event::Disconnected {
                error,
                retry_in: None,
            } => return Err(error.clone().into()),
            Event::Disconnected {
                error,
                retry_in: Some(wait),
            } => {
                self.lost = true;
                let (text, seconds) = (error.to_string(), wait.as_secs_f32());
                let text = term::for_stderr(&text);
                eprintln!("{}: {text}; again in {seconds:.1} s", error.reason());
            }
            Event::Connected(_) if self.lost => {
                self.lost = false;
                eprintln!("connected again");
            }
            Event::Lagged { lost } => eprintln!("{lost} events came too fast and are lost"),
            Event::Connected(_)
            | Event::Bots(_)
            | Event::Message(_)
            | Event::Partial(_)
            | Event::Typing(_)
            | Event::Unreadable(_)
            | Event::BotStatus(_)
            | Event::Registered(_)
            | Event::Unregistered(_)
            | Event::RegisterFailed { .. }
            | Event::Refused(_)
            | Event::Migrate(_) => {}
        }
        Ok(event)
    }
}
