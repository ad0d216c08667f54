//! A client's events, and what a person is told of its connection meanwhile.

use std::collections::VecDeque;
use std::pin::pin;

use client::{Event, Events};

use crate::failure::Failure;
use crate::out::tell;
use crate::term;

/// Events that are kept while a request is under way. Full: the client's own queue keeps the next ones,
/// and their news is told when they are read.
const KEPT_MAX: usize = 1024;

/// The events, as they come. Says on stderr why the connection is lost, when the next attempt is made,
/// and when it is back.
pub struct Feed {
    events: Events,
    /// What came during a request, for the next reader.
    kept: VecDeque<Event>,
    lost: bool,
}

impl Feed {
    /// What `events` tells.
    pub fn new(events: Events) -> Self {
        Self {
            events,
            kept: VecDeque::new(),
            lost: false,
        }
    }

    /// The next event. Errors: the connection ended for good. Cancel safe.
    pub async fn next(&mut self) -> Result<Event, Failure> {
        match self.kept.pop_front() {
            Some(event) => Ok(event),
            None => Ok(self.read().await?),
        }
    }

    /// Waits for a request of the same client. What happens to the connection meanwhile is told at once:
    /// a request waits for a connection that is lost. The events are kept for [`next`](Self::next).
    ///
    /// Errors: the request's; the connection ended for good.
    pub async fn during<T, E: From<client::Error>>(
        &mut self,
        request: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut request = pin!(request);
        loop {
            let has_room = self.kept.len() < KEPT_MAX;
            tokio::select! {
                biased;
                done = &mut request => return done,
                event = self.read(), if has_room => self.kept.push_back(event?),
            }
        }
    }

    /// Reads an event, and tells what it means for the connection. Cancel safe.
    async fn read(&mut self) -> Result<Event, client::Error> {
        let Some(event) = self.events.next().await else {
            return Err(client::Error::Stopped);
        };
        match &event {
            Event::Disconnected {
                error,
                retry_in: None,
            } => return Err(error.clone()),
            Event::Disconnected {
                error,
                retry_in: Some(wait),
            } => {
                self.lost = true;
                let (text, seconds) = (error.to_string(), wait.as_secs_f32());
                let text = term::for_stderr(&text);
                tell!("{}: {text}; retrying in {seconds:.1} s", error.reason());
            }
            Event::Connected(_) if self.lost => {
                self.lost = false;
                tell!("reconnected");
            }
            Event::Lagged { lost } => {
                tell!("{lost} events were dropped because they came too fast")
            }
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
