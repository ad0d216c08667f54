//! The events of a client. Meanwhile the user is told of lost and restored connections.

use std::collections::VecDeque;
use std::pin::pin;

use client::{ClientEvent, EventStream};
use protocol::plan::QuotaStatus;

use crate::failure::CommandFailure;
use crate::out::tell;
use crate::term;

/// Events that are kept while a request is under way. Full: the client's own queue keeps the next ones,
/// and their news is told when they are read.
const KEPT_MAX: usize = 1024;

/// The events, as they come. Says on stderr why the connection is lost, when the next attempt is made,
/// and when it is back.
pub struct EventFeed {
    events: EventStream,
    /// What came during a request, for the next reader.
    kept: VecDeque<ClientEvent>,
    lost: bool,
}

impl EventFeed {
    /// What `events` tells.
    pub fn new(events: EventStream) -> Self {
        Self {
            events,
            kept: VecDeque::new(),
            lost: false,
        }
    }

    /// The next event. Errors: the connection ended for good. Cancel safe.
    pub async fn next(&mut self) -> Result<ClientEvent, CommandFailure> {
        match self.kept.pop_front() {
            Some(event) => Ok(event),
            None => Ok(self.read().await?),
        }
    }

    /// Waits for a request of the same client. What happens to the connection meanwhile is told at once:
    /// a request waits for a connection that is lost. The events are kept for [`next`](Self::next).
    ///
    /// Errors: the request's; the connection ended for good.
    pub async fn during<T, E: From<client::ClientError>>(
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
    async fn read(&mut self) -> Result<ClientEvent, client::ClientError> {
        let Some(event) = self.events.next().await else {
            return Err(client::ClientError::Stopped);
        };
        match &event {
            ClientEvent::Disconnected {
                error,
                retry_in: None,
            } => return Err(error.clone()),
            ClientEvent::Disconnected {
                error,
                retry_in: Some(wait),
            } => {
                self.lost = true;
                let (text, seconds) = (error.to_string(), wait.as_secs_f32());
                let text = term::for_stderr(&text);
                tell!("{}: {text}; retrying in {seconds:.1} s", error.reason());
            }
            ClientEvent::Connected(_) if self.lost => {
                self.lost = false;
                tell!("reconnected");
            }
            ClientEvent::Lagged { lost } => {
                tell!("{lost} events were dropped because they came too fast")
            }
            ClientEvent::Quota(quota) => {
                let QuotaStatus {
                    meter,
                    used,
                    allowed,
                    hard,
                    resets_at: _,
                } = quota;
                let hard = hard.map_or(String::new(), |hard| format!(", refused from {hard} on"));
                tell!("this month: {used} {meter} used, soft allowance {allowed}{hard}");
            }
            ClientEvent::Connected(_)
            | ClientEvent::Bots(_)
            | ClientEvent::Message(_)
            | ClientEvent::Partial(_)
            | ClientEvent::Typing(_)
            | ClientEvent::Unreadable(_)
            | ClientEvent::BotStatus(_)
            | ClientEvent::Registered(_)
            | ClientEvent::Unregistered(_)
            | ClientEvent::RegisterFailed { .. }
            | ClientEvent::Refused(_)
            | ClientEvent::Migrate(_) => {}
        }
        Ok(event)
    }
}
