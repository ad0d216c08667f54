//! The handle of a program: every request to the gateway, with retries where a repetition is safe.

use std::sync::Arc;
use std::time::Duration;

use protocol::connect::Acks;
use protocol::presence::{BotInfo, BotRef, BotRegistered, ListBots, RegisterBot};
use protocol::t2b::frames::{
    ClientMessage, Delivered, MessageAck, SendMessage, SendPartial, SendTyping, ServerMessage,
    Status, TypedStatus,
};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::backoff::{RETRIES, RetryBackoff};
use crate::dial::dial;
use crate::error::ClientError;
use crate::events::{self, EventStream};
use crate::held_bots::HeldBots;
use crate::options::ConnectOptions;
use crate::outlet::LinkHandle;
use crate::supervisor::{LinkState, LinkSupervisor};

/// How long [`Client::close`] waits for answers that are still due, and for the close.
const CLOSE: Duration = Duration::from_secs(6);

/// A connection to the gateway that comes back by itself. Clones share it.
///
/// While the connection is away, requests wait for it, each at most
/// [`timeout`](ConnectOptions::timeout). When the last clone is dropped, the connection is closed.
#[derive(Debug, Clone)]
pub struct Client {
    state: watch::Receiver<LinkState>,
    bots: HeldBots,
    stop: Arc<Notify>,
    acks: Acks,
    timeout: Duration,
    /// Of this start of the program: a bot that comes back is known by it.
    instance: Arc<str>,
}

impl Client {
    /// Connects once; from then on the client comes back by itself.
    ///
    /// Errors: whatever the first attempt failed with.
    pub async fn connect(options: ConnectOptions) -> Result<(Client, EventStream), ClientError> {
        let first = dial(&options).await?;
        let (events, receiver) = events::queue(options.events_max);
        let (state_tx, state) = watch::channel(LinkState::Connecting);
        let client = Client {
            state,
            bots: HeldBots::default(),
            stop: Arc::new(Notify::new()),
            acks: options.acks,
            timeout: options.timeout,
            instance: random_id().into(),
        };
        let supervisor = LinkSupervisor {
            options,
            events,
            bots: client.bots.clone(),
            state: state_tx,
            stop: Arc::clone(&client.stop),
        };
        tokio::spawn(supervisor.run(first));
        Ok((client, receiver))
    }

    /// Sends a message and waits until the gateway has taken it.
    ///
    /// A `messageId` is made if there is none; with it, a refusal that may pass and a lost connection
    /// are retried at most three times, and nothing is delivered twice. Errors: the last refusal;
    /// `TooLarge`, before anything is sent; `Closed` if the gateway closed the connection with a code
    /// that forbids to repeat what was in flight;
    /// with `acks: errors`, `Timeout`, as no answer comes: use [`post`](Self::post).
    pub async fn send(&self, mut message: SendMessage) -> Result<MessageAck, ClientError> {
        message.message_id.get_or_insert_with(random_id);
        let answer = self.retried(ClientMessage::Message(message)).await?;
        let ServerMessage::MessageAck(ack) = answer else {
            return Err(unexpected());
        };
        Ok(ack)
    }

    /// Sends a message without waiting for an answer; a refusal comes as [`ClientEvent::Refused`] and
    /// names the message only if it has a `messageId`.
    ///
    /// [`ClientEvent::Refused`]: crate::ClientEvent::Refused
    pub async fn post(&self, message: SendMessage) -> Result<(), ClientError> {
        self.tell(ClientMessage::Message(message)).await
    }

    /// Sends what there is of a message so far. Best effort.
    pub async fn partial(&self, partial: SendPartial) -> Result<(), ClientError> {
        self.tell(ClientMessage::MessagePartial(partial)).await
    }

    /// Says that somebody types, or no longer. Best effort.
    pub async fn typing(&self, typing: SendTyping) -> Result<(), ClientError> {
        self.tell(ClientMessage::Typing(typing)).await
    }

    /// Answers a message: to its sender on all devices, from the bot it was sent to.
    pub async fn reply(&self, to: &Delivered, text: &str) -> Result<MessageAck, ClientError> {
        self.send(self.reply_to(to, text)).await
    }

    /// The answer to a message, not sent yet.
    pub fn reply_to(&self, to: &Delivered, text: &str) -> SendMessage {
        let asked = to.to.as_str();
        SendMessage {
            to: to.from.to_string(),
            from: self.bots.holds(asked).then(|| asked.to_owned()),
            text: Some(text.to_owned()),
            reply_to: to.message_id.as_ref().map(ToString::to_string),
            ..SendMessage::default()
        }
    }

    /// Becomes a bot, now and after every reconnect, until it is unregistered or taken over.
    ///
    /// An `instance` is made if there is none: it tells the gateway that it is the same bot coming
    /// back. Errors: the refusal.
    pub async fn register(&self, mut bot: RegisterBot) -> Result<BotRegistered, ClientError> {
        bot.instance
            .get_or_insert_with(|| self.instance.to_string());
        let bot_id = bot.bot_id.clone();
        // Before the answer: if the connection moves meanwhile, the bot moves too.
        self.bots.remember(bot.clone());
        let answer = self.retried(ClientMessage::RegisterBot(bot)).await;
        if let Ok(ServerMessage::BotRegistered(registered)) = answer {
            return Ok(registered);
        }
        self.bots.forget(&bot_id);
        Err(answer.err().unwrap_or_else(unexpected))
    }

    /// Ceases to be a bot; it is no longer listed.
    pub async fn unregister(&self, bot_id: &str) -> Result<(), ClientError> {
        self.bots.forget(bot_id);
        let bot_id = bot_id.to_owned();
        self.retried(ClientMessage::UnregisterBot(BotRef { bot_id }))
            .await
            .map(drop)
    }

    /// Every bot that this credential may see, in id order.
    pub async fn bots(&self) -> Result<Vec<BotInfo>, ClientError> {
        let mut bots = Vec::new();
        let mut cursor = None;
        loop {
            let page = ListBots {
                cursor,
                ..ListBots::default()
            };
            let answer = self.retried(ClientMessage::ListBots(page)).await?;
            let ServerMessage::Status(Status::Typed(TypedStatus::BotsList(list))) = answer else {
                return Err(unexpected());
            };
            bots.extend(list.bots);
            cursor = list.next_cursor;
            if cursor.is_none() {
                return Ok(bots);
            }
        }
    }

    /// Asks for a bot's `bot_status`. A socket gets it of all bots unless it has registered one.
    pub async fn subscribe(&self, bot_id: &str) -> Result<(), ClientError> {
        let bot_id = bot_id.to_owned();
        self.retried(ClientMessage::Subscribe(BotRef { bot_id }))
            .await
            .map(drop)
    }

    /// The same, asked once: a gateway that cannot know yet whether there is such a bot refuses with
    /// `bot_offline`.
    pub async fn subscribe_once(&self, bot_id: &str) -> Result<(), ClientError> {
        let bot_id = bot_id.to_owned();
        self.ask(ClientMessage::Subscribe(BotRef { bot_id }))
            .await
            .map(drop)
    }

    /// Asks for no more of a bot's `bot_status`.
    pub async fn unsubscribe(&self, bot_id: &str) -> Result<(), ClientError> {
        let bot_id = bot_id.to_owned();
        self.retried(ClientMessage::Unsubscribe(BotRef { bot_id }))
            .await
            .map(drop)
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<(), ClientError> {
        self.ask(ClientMessage::Ping).await.map(drop)
    }

    /// Waits for the answers that are due, closes the connection, and ends all clones.
    pub async fn close(self) {
        self.stop.notify_one();
        let mut state = self.state.clone();
        let gone = async { while state.changed().await.is_ok() {} };
        let _ = timeout(CLOSE, gone).await;
    }

    /// One request, repeated while it may succeed later.
    async fn retried(&self, message: ClientMessage) -> Result<ServerMessage, ClientError> {
        let mut backoff = RetryBackoff::default();
        for _ in 0..RETRIES {
            let error = match self.ask(message.clone()).await {
                Err(error) if error.retryable() && self.acks_of(&message) => error,
                done => return done,
            };
            sleep(backoff.after(&error, fastrand::f64())).await;
        }
        self.ask(message).await
    }

    /// Whether this client is told of the request's success: else a missing answer says nothing.
    fn acks_of(&self, message: &ClientMessage) -> bool {
        self.acks == Acks::All || !matches!(message, ClientMessage::Message(_))
    }

    async fn ask(&self, message: ClientMessage) -> Result<ServerMessage, ClientError> {
        let asking = async {
            let link = self.link().await?;
            link.ask(message).await
        };
        timeout(self.timeout, asking)
            .await
            .map_err(|_| ClientError::Timeout)?
    }

    async fn tell(&self, message: ClientMessage) -> Result<(), ClientError> {
        let telling = async {
            let link = self.link().await?;
            link.tell(message).await
        };
        timeout(self.timeout, telling)
            .await
            .map_err(|_| ClientError::Timeout)?
    }

    /// The link that is up, as soon as one is. Errors: there will be none any more.
    async fn link(&self) -> Result<LinkHandle, ClientError> {
        let mut state = self.state.clone();
        let settled = state
            .wait_for(|state| !matches!(state, LinkState::Connecting))
            .await;
        match settled.as_deref() {
            Ok(LinkState::Up(link)) => Ok(link.clone()),
            Ok(LinkState::Stopped(error)) => Err(error.clone()),
            Ok(LinkState::Connecting) | Err(_) => Err(ClientError::Stopped),
        }
    }
}

fn unexpected() -> ClientError {
    ClientError::Protocol("another frame than the request is answered with".to_owned())
}

fn random_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}
