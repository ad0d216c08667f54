//! `bot …`: a bot of this machine. What it answers is `echo.rs`'s or `exec.rs`'s; here is what all have
//! in common: it registers, takes messages in turns, and answers each, at the least with an error.
//!
//! An answer that reports a failure is a message like any other, with one member more:
//! `"error": {"reason", "message"}`. `chat` ends with it as an error.

pub mod echo;
pub mod exec;
mod turns;

use std::sync::Arc;

use client::{Client, ClientEvent, UnreadableMessage};
use protocol::limits::PARTIAL_BYTES_MAX;
use protocol::presence::RegisterBot;
use protocol::t2b::frames::{Delivered, SendMessage, SendPartial};
use protocol::{BotId, ConnectionId};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::args::TargetArgs;
use crate::connect::connect;
use crate::failure::CommandFailure;
use crate::feed::EventFeed;
use crate::out::{say, tell};
use crate::term;
use turns::SenderTurns;

/// Messages that are answered at the same time. An answer to who has gone is repeated for some
/// seconds, so there are more than programs run.
const RUNNING_MAX: usize = 64;
/// Messages that wait. Full: a message is answered with `busy` at once.
const WAITING_MAX: usize = 256;

/// Messages in turns, by the connection that they come from.
type WaitingMessages = SenderTurns<ConnectionId, Box<Delivered>>;

/// What a bot says to a message.
pub trait BotAnswer: Send + Sync + 'static {
    /// The text of the answer; partials it sends itself. Errors: what the sender is told instead.
    fn answer(
        &self,
        client: &Client,
        message: &Delivered,
    ) -> impl Future<Output = Result<String, AnswerFailure>> + Send;
}

/// Why there is no answer: one word for programs, and a text for people.
#[derive(Debug)]
pub struct AnswerFailure {
    pub reason: &'static str,
    pub text: String,
}

/// Is the bot until SIGTERM or Ctrl-C.
pub async fn run(
    target: &TargetArgs,
    bot: RegisterBot,
    answer: impl BotAnswer,
) -> Result<(), CommandFailure> {
    let (client, events) = connect(target, None).await?;
    let id = bot.bot_id.clone();
    let mut feed = EventFeed::new(events);
    feed.during(client.register(bot)).await?;
    // It answers also if nobody reads this.
    let _ = say!("{} is online; Ctrl-C ends it", term::bold(&id));
    let mut terminate = signal(SignalKind::terminate())
        .map_err(|error| CommandFailure::failed("signals", error))?;
    let ended = tokio::select! {
        ended = serve(&client, feed, answer) => ended,
        _ = terminate.recv() => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    client.close().await;
    ended
}

/// What a bot of this machine registers as.
pub fn described(id: &BotId, name: &str, kind: &str, description: &str) -> RegisterBot {
    RegisterBot {
        bot_id: id.to_string(),
        name: Some(name.to_owned()),
        kind: Some(kind.to_owned()),
        capabilities: vec!["chat".to_owned()],
        description: Some(description.to_owned()),
        config: None,
        takeover: None,
        instance: None,
        confirm: None,
    }
}

/// Answers every message until the client has stopped. Errors: why it stopped.
///
/// Messages of one connection are answered in their order. What is under way when this is cancelled
/// is cancelled too.
pub async fn serve(
    client: &Client,
    mut feed: EventFeed,
    answer: impl BotAnswer,
) -> Result<(), CommandFailure> {
    let answer = Arc::new(answer);
    let mut turns = WaitingMessages::new(RUNNING_MAX, WAITING_MAX);
    let mut running = JoinSet::new();
    loop {
        while let Some((sender, message)) = turns.start() {
            let (client, answer) = (client.clone(), Arc::clone(&answer));
            running.spawn(async move {
                answer_one(&client, &*answer, &message).await;
                sender
            });
        }
        tokio::select! {
            event = feed.next() => {
                feed.during(on_event(client, &mut turns, event?)).await?;
            }
            Some(ended) = running.join_next() => {
                turns.ended(ended.map_err(|error| CommandFailure::failed("internal", error))?);
            }
        }
    }
}

/// Takes the message that an event brings, or refuses it. Errors: the bot is lost.
async fn on_event(
    client: &Client,
    turns: &mut WaitingMessages,
    event: ClientEvent,
) -> Result<(), CommandFailure> {
    match event {
        ClientEvent::Message(message) => {
            if let Err(message) = turns.push(message.connection_id, message) {
                let (reason, text) = ("busy", "too many messages wait".to_owned());
                refuse(client, &message, AnswerFailure { reason, text }).await;
            }
            Ok(())
        }
        ClientEvent::Unreadable(unreadable) => {
            refuse_unreadable(client, &unreadable).await;
            Ok(())
        }
        ClientEvent::Unregistered(_) => Err(CommandFailure::failed(
            "replaced",
            "another process took the bot",
        )),
        ClientEvent::RegisterFailed { error, .. } => Err(error.into()),
        ClientEvent::Connected(_)
        | ClientEvent::Disconnected { .. }
        | ClientEvent::Lagged { .. }
        | ClientEvent::Bots(_)
        | ClientEvent::Partial(_)
        | ClientEvent::Typing(_)
        | ClientEvent::BotStatus(_)
        | ClientEvent::Registered(_)
        | ClientEvent::Refused(_)
        | ClientEvent::Quota(_)
        | ClientEvent::Migrate(_) => Ok(()),
    }
}

async fn answer_one(client: &Client, answer: &impl BotAnswer, message: &Delivered) {
    let text = match answer.answer(client, message).await {
        Ok(text) => text,
        Err(trouble) => return refuse(client, message, trouble).await,
    };
    let mut reply = client.reply_to(message, &text);
    reply.stream_id = id_of(message);
    match client.send(reply).await {
        Ok(_) => {}
        Err(error @ client::ClientError::TooLarge { .. }) => {
            let (reason, text) = ("too_large", error.to_string());
            refuse(client, message, AnswerFailure { reason, text }).await;
        }
        Err(error) => not_answered(error.reason(), &error.to_string()),
    }
}

/// Tells a sender that there is no answer, and the person here too.
async fn refuse(client: &Client, message: &Delivered, trouble: AnswerFailure) {
    let mut reply = client.reply_to(message, "");
    reply.stream_id = id_of(message);
    send_trouble(client, reply, trouble).await;
}

async fn refuse_unreadable(client: &Client, message: &UnreadableMessage) {
    let (reason, text) = ("unreadable", message.problem.clone());
    match (&message.message_id, &message.from) {
        (Some(message_id), Some(from)) => {
            let reply = SendMessage {
                to: from.clone(),
                from: message.to.clone(),
                reply_to: Some(message_id.clone()),
                ..SendMessage::default()
            };
            send_trouble(client, reply, AnswerFailure { reason, text }).await;
        }
        // A partial, which has no answer, or somebody unknown.
        _ => not_answered(reason, &text),
    }
}

/// Not waited for: whoever has gone shall not hold up the others.
async fn send_trouble(client: &Client, mut reply: SendMessage, trouble: AnswerFailure) {
    let AnswerFailure { reason, text } = trouble;
    not_answered(reason, &text);
    reply.text = Some(format!("error: {reason}: {text}"));
    let error = json!({"reason": reason, "message": text});
    reply.extra.insert("error".to_owned(), error);
    if let Err(error) = client.post(reply).await {
        not_answered(error.reason(), &error.to_string());
    }
}

fn not_answered(reason: &str, text: &str) {
    tell!("not answered: {reason}: {}", term::for_stderr(text));
}

/// The id of a message; it names the stream of its answer too, as both have one shape.
fn id_of(message: &Delivered) -> Option<String> {
    message.message_id.as_ref().map(ToString::to_string)
}

/// Sends what there is of an answer; of a long one its tail. Best effort.
async fn partial(client: &Client, message: &Delivered, seq: u64, text: &str) {
    let reply = client.reply_to(message, "");
    let (tail, truncated) = tail_of(text);
    let partial = SendPartial {
        to: reply.to,
        from: reply.from,
        stream_id: id_of(message).unwrap_or_default(),
        seq,
        text: tail.to_owned(),
        truncated: truncated.then_some(true),
        end: None,
    };
    // The answer itself says whether the connection is gone.
    let _ = client.partial(partial).await;
}

/// As much of the end of a text as one partial holds, and whether that is less than all.
fn tail_of(text: &str) -> (&str, bool) {
    let bytes = |text: &str| serde_json::to_string(text).map_or(usize::MAX, |json| json.len());
    let mut tail = text;
    while bytes(tail) > PARTIAL_BYTES_MAX {
        // A third, rounded up to a character, is gone each time.
        let cut = tail.len() / 3;
        let cut = (cut..tail.len()).find(|at| tail.is_char_boundary(*at));
        tail = &tail[cut.unwrap_or(tail.len())..];
    }
    (tail, tail.len() < text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_holds_the_tail() {
        assert_eq!(tail_of("short"), ("short", false));
        for unit in ["x", "ä", "\u{1}"] {
            let text = unit.repeat(200_000);
            let (tail, truncated) = tail_of(&text);
            assert!(truncated && text.ends_with(tail) && !tail.is_empty());
            assert!(serde_json::to_string(tail).unwrap().len() <= PARTIAL_BYTES_MAX);
        }
    }
}
