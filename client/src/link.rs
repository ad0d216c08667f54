//! One authenticated connection: requests out, answers matched by `id`, events in.
//!
//! A link lives in a task of its own until the connection ends or the link is retired. It never
//! reconnects; that is the supervisor's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::codec::encode;
use protocol::connect::Migrate;
use protocol::frame::{
    ClientFrame, ClientMessage, ServerFrame, ServerMessage, Status, TypedStatus,
};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::dial::{Socket, closed};
use crate::error::Error;
use crate::events::{Event, Sink};
use crate::supervisor::Bots;

/// How long a retired link waits for the answers that are still due.
const RETIRE: Duration = Duration::from_secs(5);
/// From so many requests on, those that nobody waits for any more are swept.
const PENDING_SWEEP: usize = 1024;

/// Where the answer to a request goes.
pub(crate) type Answer = oneshot::Sender<Result<ServerMessage, Error>>;

/// What a link is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send this; with an answer to wait for, it gets an `id`.
    Request(Box<ClientMessage>, Option<Answer>),
    /// Wait for the answers that are due, then close.
    Retire,
}

/// What a link shares with those who watch it.
#[derive(Debug, Clone)]
pub(crate) struct Watchers {
    pub events: Sink,
    pub bots: Bots,
    pub migrate: mpsc::Sender<Migrate>,
    /// Another link is taking over: what this one loses is no news.
    pub superseded: Arc<AtomicBool>,
}

pub(crate) struct Link {
    socket: Socket,
    watchers: Watchers,
    silence_max: Duration,
    heard: Instant,
    pending: BTreeMap<String, Answer>,
    requests: u64,
    retired: Option<Instant>,
    /// What the last refusal said of coming back: a close may follow.
    retry_after: Option<Duration>,
}

impl Link {
    /// `heartbeat`: how often the gateway says something, at least.
    pub fn new(socket: Socket, heartbeat: Duration, watchers: Watchers) -> Self {
        Self {
            socket,
            watchers,
            silence_max: heartbeat * 2,
            heard: Instant::now(),
            pending: BTreeMap::new(),
            requests: 0,
            retired: None,
            retry_after: None,
        }
    }

    /// Serves the connection to its end, and says why it ended.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) -> Error {
        let error = loop {
            if self.is_done() {
                let _ = timeout(RETIRE, self.socket.close(None)).await;
                break Error::Stopped;
            }
            let deadline = self.heard + self.silence_max;
            let deadline = self.retired.map_or(deadline, |until| until.min(deadline));
            let step = tokio::select! {
                message = self.socket.next() => self.on_message(message),
                command = commands.recv(), if self.retired.is_none() => {
                    self.on_commands(command, &mut commands).await
                }
                () = sleep_until(deadline) => self.on_deadline(),
            };
            if let Err(error) = step {
                break error;
            }
        };
        // A request in flight may or may not have arrived: repeating it with its messageId is safe.
        for (_, answer) in std::mem::take(&mut self.pending) {
            let _ = answer.send(Err(Error::Lost));
        }
        error
    }

    fn is_done(&self) -> bool {
        self.retired.is_some() && self.pending.is_empty()
    }

    fn on_deadline(&mut self) -> Result<(), Error> {
        match self.retired {
            Some(_) => {
                self.pending.clear();
                Ok(())
            }
            None => Err(Error::Timeout),
        }
    }

    /// Writes this command and all that wait behind it with one flush.
    async fn on_commands(
        &mut self,
        first: Option<Command>,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Result<(), Error> {
        let mut next = first;
        if next.is_none() {
            self.retire();
        }
        // A gateway that does not read for so long is as good as gone.
        let writing = async {
            while let Some(command) = next {
                match command {
                    Command::Request(message, answer) => self.feed(*message, answer).await?,
                    Command::Retire => self.retire(),
                }
                next = commands.try_recv().ok();
            }
            self.socket.flush().await
        };
        let written = timeout(RETIRE * 2, writing).await;
        written
            .map_err(|_| Error::Timeout)?
            .map_err(|_| Error::Lost)
    }

    fn retire(&mut self) {
        self.retired.get_or_insert(Instant::now() + RETIRE);
    }

    async fn feed(
        &mut self,
        message: ClientMessage,
        answer: Option<Answer>,
    ) -> Result<(), WsError> {
        let id = answer.map(|answer| {
            self.requests += 1;
            let id = self.requests.to_string();
            if self.pending.len() >= PENDING_SWEEP {
                self.pending.retain(|_, answer| !answer.is_closed());
            }
            self.pending.insert(id.clone(), answer);
            id
        });
        let text = encode::client(&ClientFrame { message, id });
        self.socket.feed(Message::text(text)).await
    }

    fn on_message(&mut self, message: Option<Result<Message, WsError>>) -> Result<(), Error> {
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => {
                self.on_text(&text);
                Ok(())
            }
            Some(Ok(Message::Close(frame))) => Err(closed(frame, self.retry_after)),
            Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => Ok(()),
            Some(Err(_)) | None => Err(Error::Lost),
        }
    }

    fn on_text(&mut self, text: &str) {
        let (id, result) = match serde_json::from_str::<ServerFrame>(text) {
            Ok(frame) => {
                if let ServerMessage::Error(data) = &frame.message {
                    self.retry_after = data.retry_after_ms.map(Duration::from_millis);
                }
                (frame.id, Ok(frame.message))
            }
            // A newer gateway may say more than this client knows; only an answer is missed.
            Err(error) => (id_of(text), Err(Error::Protocol(error.to_string()))),
        };
        if let Some(id) = id {
            if let Some(answer) = self.pending.remove(&id) {
                let _ = answer.send(match result {
                    Ok(ServerMessage::Error(data)) => Err(Error::Refused(data.into())),
                    answered => answered,
                });
            }
        } else if let Ok(message) = result {
            self.on_event(message);
        }
    }

    fn on_event(&self, message: ServerMessage) {
        let Watchers {
            events,
            bots,
            migrate,
            superseded,
        } = &self.watchers;
        let event = match message {
            ServerMessage::Message(data) => Event::Message(Box::new(data)),
            ServerMessage::MessagePartial(data) => Event::Partial(Box::new(data)),
            ServerMessage::Typing(data) => Event::Typing(Box::new(data)),
            ServerMessage::BotStatus(data) => Event::BotStatus(data),
            ServerMessage::Status(Status::Typed(TypedStatus::BotsList(data))) => Event::Bots(data),
            ServerMessage::Error(data) => Event::Refused(data),
            ServerMessage::BotRegistered(data) => Event::Registered(data),
            ServerMessage::BotUnregistered(data) => {
                if superseded.load(Ordering::Relaxed) {
                    return;
                }
                bots.forget(data.bot_id.as_str());
                Event::Unregistered(data)
            }
            ServerMessage::Migrate(data) => {
                // One is enough: a second before the first is served changes nothing.
                let _ = migrate.try_send(data.clone());
                Event::Migrate(data)
            }
            ServerMessage::Status(
                Status::Connected(_)
                | Status::Typed(
                    TypedStatus::Subscribed(_)
                    | TypedStatus::Unsubscribed(_)
                    | TypedStatus::Connections(_)
                    | TypedStatus::Full(_),
                ),
            )
            | ServerMessage::AuthOk(_)
            | ServerMessage::AuthError(_)
            | ServerMessage::MessageAck(_)
            | ServerMessage::Pong(_) => return,
        };
        events.push(event);
    }
}

fn id_of(text: &str) -> Option<String> {
    let frame: Value = serde_json::from_str(text).ok()?;
    frame.get("id")?.as_str().map(Into::into)
}
