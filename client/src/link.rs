//! One authenticated connection: requests out, answers matched by `id`, events in.
//!
//! A link lives in a task of its own until the connection ends or the link is retired. It never
//! reconnects; that is the supervisor's.
//!
//! A gateway is gone when no byte moved for two heartbeats. It is asked half a heartbeat before that:
//! after a pause of this process its bytes may lie in the socket, unread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::connect::Migrate;
use protocol::t2b::frames::{ServerFrame, ServerMessage, Status, TypedStatus};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::dial::{WatchedSocket, closed, moved};
use crate::error::ClientError;
use crate::events::{ClientEvent, EventSink};
use crate::held_bots::HeldBots;
use crate::moved::ByteActivity;
use crate::unreadable::unreadable;

/// How long a retired link waits for the answers that are still due.
const RETIRE: Duration = Duration::from_secs(5);
/// How long a link whose socket takes no more waits for the close frame that says why.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// From so many requests on, those that nobody waits for any more are swept.
const PENDING_SWEEP: usize = 1024;

/// Where the answer to a request goes.
pub(crate) type AnswerSender = oneshot::Sender<Result<ServerMessage, ClientError>>;

/// What a link is told.
#[derive(Debug)]
pub(crate) enum LinkCommand {
    /// Send this.
    Send(QueuedFrame),
    /// Wait for the answers that are due, then close.
    Retire,
}

/// A frame to send, and its `id` and who waits for its answer if it has one.
#[derive(Debug)]
pub(crate) struct QueuedFrame {
    pub text: String,
    pub answer: Option<(String, AnswerSender)>,
}

/// What a link shares with those who watch it.
#[derive(Debug, Clone)]
pub(crate) struct LinkWatchers {
    pub events: EventSink,
    pub bots: HeldBots,
    pub migrate: mpsc::Sender<Migrate>,
    /// Another link is taking over: what this one loses is no news.
    pub superseded: Arc<AtomicBool>,
}

pub(crate) struct GatewayLink {
    socket: WatchedSocket,
    watchers: LinkWatchers,
    heartbeat: Duration,
    /// When the last frame came.
    heard: Instant,
    moved: Option<ByteActivity>,
    /// When a silent gateway was asked whether it lives.
    asked: Option<Instant>,
    pending: BTreeMap<String, AnswerSender>,
    retired: Option<Instant>,
    /// What the last refusal said of coming back: a close may follow.
    retry_after: Option<Duration>,
}

impl GatewayLink {
    /// `heartbeat`: how often the gateway says something, at least.
    pub fn new(socket: WatchedSocket, heartbeat: Duration, watchers: LinkWatchers) -> Self {
        Self {
            moved: moved(&socket),
            socket,
            watchers,
            heartbeat,
            heard: Instant::now(),
            asked: None,
            pending: BTreeMap::new(),
            retired: None,
            retry_after: None,
        }
    }

    /// Serves the connection to its end, and says why it ended.
    pub async fn run(mut self, mut commands: mpsc::Receiver<LinkCommand>) -> ClientError {
        let error = loop {
            if self.is_done() {
                let _ = timeout(RETIRE, self.socket.close(None)).await;
                break ClientError::Stopped;
            }
            let deadline = self.deadline();
            let step = tokio::select! {
                message = self.socket.next() => self.on_message(message),
                command = commands.recv(), if self.retired.is_none() => {
                    self.on_commands(command, &mut commands).await
                }
                () = sleep_until(deadline) => self.on_deadline().await,
            };
            if let Err(error) = step {
                break error;
            }
        };
        // A request in flight may or may not have arrived: repeating it with its messageId is safe,
        // but not if the connection ended for what one of them holds.
        let answered = match error.forbids_repetition() {
            true => error.clone(),
            false => ClientError::Lost,
        };
        for (_, answer) in std::mem::take(&mut self.pending) {
            let _ = answer.send(Err(answered.clone()));
        }
        error
    }

    fn is_done(&self) -> bool {
        self.retired.is_some() && self.pending.is_empty()
    }

    /// When the gateway last gave a sign of life.
    fn lived(&self) -> Instant {
        let moved = self.moved.as_ref().map(ByteActivity::at);
        moved.map_or(self.heard, |moved| moved.max(self.heard))
    }

    /// When to ask it, or to take it for gone; or when not to wait for its answers any more.
    fn deadline(&self) -> Instant {
        let lived = self.lived();
        let deadline = match self.asked.filter(|asked| *asked > lived) {
            None => lived + self.heartbeat * 3 / 2,
            Some(asked) => (lived + self.heartbeat * 2).max(asked + self.heartbeat / 2),
        };
        self.retired.map_or(deadline, |until| until.min(deadline))
    }

    async fn on_deadline(&mut self) -> Result<(), ClientError> {
        let now = Instant::now();
        if self.retired.is_some_and(|until| now >= until) {
            self.pending.clear();
            return Ok(());
        }
        // Bytes came since this deadline was set.
        if now < self.deadline() {
            return Ok(());
        }
        if self.asked.is_some_and(|asked| asked > self.lived()) {
            return Err(ClientError::Timeout);
        }
        self.asked = Some(now);
        let ping = self.socket.send(Message::Ping(Vec::new().into()));
        // One that cannot be written is not answered either.
        match timeout(self.heartbeat / 2, ping).await {
            Ok(Err(_)) => Err(ClientError::Lost),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// Writes this command and all that wait behind it with one flush.
    async fn on_commands(
        &mut self,
        first: Option<LinkCommand>,
        commands: &mut mpsc::Receiver<LinkCommand>,
    ) -> Result<(), ClientError> {
        let mut next = first;
        if next.is_none() {
            self.retire();
        }
        let moved = self.moved.clone();
        let writing = async {
            while let Some(command) = next {
                match command {
                    LinkCommand::Send(frame) => self.feed(frame).await?,
                    LinkCommand::Retire => self.retire(),
                }
                next = commands.try_recv().ok();
            }
            self.socket.flush().await
        };
        // A gateway that takes nothing for so long is as good as gone.
        let written = match moved {
            Some(moved) => moved.wait(RETIRE * 2, writing).await,
            None => timeout(RETIRE * 2, writing).await.ok(),
        };
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(self.last_words().await),
            None => Err(ClientError::Timeout),
        }
    }

    /// Why the socket takes no more: a gateway that refuses a frame half way says it in a close frame.
    async fn last_words(&mut self) -> ClientError {
        let reading = async {
            loop {
                let message = self.socket.next().await;
                if let Err(error) = self.on_message(message) {
                    return error;
                }
            }
        };
        timeout(LAST_WORDS, reading)
            .await
            .unwrap_or(ClientError::Lost)
    }

    fn retire(&mut self) {
        self.retired.get_or_insert(Instant::now() + RETIRE);
    }

    async fn feed(&mut self, frame: QueuedFrame) -> Result<(), WsError> {
        if let Some((id, answer)) = frame.answer {
            if self.pending.len() >= PENDING_SWEEP {
                self.pending.retain(|_, answer| !answer.is_closed());
            }
            self.pending.insert(id, answer);
        }
        self.socket.feed(Message::text(frame.text)).await
    }

    fn on_message(&mut self, message: Option<Result<Message, WsError>>) -> Result<(), ClientError> {
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
            Some(Err(_)) | None => Err(ClientError::Lost),
        }
    }

    fn on_text(&mut self, text: &str) {
        if let Some(frame) = unreadable(text) {
            return self
                .watchers
                .events
                .push(ClientEvent::Unreadable(Box::new(frame)));
        }
        let (id, result) = match serde_json::from_str::<ServerFrame>(text) {
            Ok(frame) => {
                if let ServerMessage::Error(data) = &frame.message {
                    self.retry_after = data.retry_after_ms.map(Duration::from_millis);
                }
                (frame.id, Ok(frame.message))
            }
            // A newer gateway may say more than this client knows; only an answer is missed.
            Err(error) => (id_of(text), Err(ClientError::Protocol(error.to_string()))),
        };
        if let Some(id) = id {
            if let Some(answer) = self.pending.remove(&id) {
                let _ = answer.send(match result {
                    Ok(ServerMessage::Error(data)) => Err(ClientError::Refused(Box::new(data))),
                    answered => answered,
                });
            }
        } else if let Ok(message) = result {
            self.on_event(message);
        }
    }

    fn on_event(&self, message: ServerMessage) {
        let LinkWatchers {
            events,
            bots,
            migrate,
            superseded,
        } = &self.watchers;
        let event = match message {
            ServerMessage::Message(data) => ClientEvent::Message(Box::new(data)),
            ServerMessage::MessagePartial(data) => ClientEvent::Partial(Box::new(data)),
            ServerMessage::Typing(data) => ClientEvent::Typing(Box::new(data)),
            ServerMessage::BotStatus(data) => ClientEvent::BotStatus(data),
            ServerMessage::Status(Status::Typed(TypedStatus::BotsList(data))) => {
                ClientEvent::Bots(data)
            }
            ServerMessage::Status(Status::Typed(TypedStatus::Quota(data))) => {
                ClientEvent::Quota(data)
            }
            ServerMessage::Error(data) => ClientEvent::Refused(data),
            ServerMessage::BotRegistered(data) => ClientEvent::Registered(data),
            ServerMessage::BotUnregistered(data) => {
                if superseded.load(Ordering::Relaxed) {
                    return;
                }
                bots.forget(data.bot_id.as_str());
                ClientEvent::Unregistered(data)
            }
            ServerMessage::Migrate(data) => {
                // One is enough: a second before the first is served changes nothing.
                let _ = migrate.try_send(data.clone());
                ClientEvent::Migrate(data)
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

/// The `id` of a frame, whatever else stands in it.
fn id_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct AnswerSender {
        id: String,
    }
    serde_json::from_str(text)
        .ok()
        .map(|answer: AnswerSender| answer.id)
}
