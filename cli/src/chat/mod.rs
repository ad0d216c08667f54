//! `chat`: one question and its answer, or a conversation line by line.

mod answer;
mod lines;
mod parts;
mod show;

use std::time::Duration;

use client::{Client, ClientEvent, UnreadableMessage, members_of};
use protocol::message::SendKind;
use protocol::presence::{BotInfo, BotState};
use protocol::t2b::frames::{Delivered, SendMessage, ServerMessage};
use protocol::{BotId, ErrorCode};
use tokio::time::timeout;

use crate::args::ChatArgs;
use crate::connect::connect;
use crate::failure::CommandFailure;
use crate::feed::EventFeed;
use crate::out::tell;
use answer::shown;
use parts::is_last_part;
use show::FramePrinter;

/// How long a bot that is known is waited for if nobody says.
const WAIT: Duration = Duration::from_secs(30);

/// Waits for the bot, then talks with it.
pub async fn run(args: ChatArgs) -> Result<(), CommandFailure> {
    let (client, events) = connect(&args.target, args.client_id.clone()).await?;
    let mut feed = EventFeed::new(events);
    let done = talk(&client, &mut feed, &args).await;
    client.close().await;
    done
}

async fn talk(
    client: &Client,
    feed: &mut EventFeed,
    args: &ChatArgs,
) -> Result<(), CommandFailure> {
    let show = FramePrinter::new(args.json);
    let limit = args.wait.unwrap_or(WAIT);
    if !feed.during(is_online(client, &args.bot)).await? {
        let (bot, seconds) = (&args.bot, limit.as_secs());
        let waiting = async {
            // Who says how long to wait may mean a bot that is yet to register for the first time.
            if args.wait.is_none() && !feed.during(is_known(client, bot)).await? {
                return Err(unknown(bot));
            }
            tell!("waiting for {bot} to come online, at most {seconds} s");
            online(client, feed, bot).await
        };
        let waited = timeout(limit, waiting).await;
        waited.unwrap_or_else(|_| Err(offline(bot, limit)))?;
    }
    match &args.text {
        Some(text) => ask(client, feed, args, text, show).await,
        None => lines::run(client, feed, args, show).await,
    }
}

/// Whether the gateway has seen the bot, or cannot know it yet: after its start bots come back.
async fn is_known(client: &Client, bot: &BotId) -> Result<bool, CommandFailure> {
    match client.subscribe_once(bot.as_str()).await {
        Ok(()) => Ok(true),
        Err(client::ClientError::Refused(data)) => Ok(data.reason != ErrorCode::BotNotFound),
        Err(error) => Err(error.into()),
    }
}

fn unknown(bot: &BotId) -> CommandFailure {
    let text = format!("you have no bot {bot}; to wait until it registers, give --wait 30s");
    CommandFailure::refused(ErrorCode::BotNotFound.reason(), text).or_next("t2b bots")
}

fn offline(bot: &BotId, wait: Duration) -> CommandFailure {
    let seconds = wait.as_secs();
    CommandFailure::unavailable(
        "bot_offline",
        format!("{bot} did not come online within {seconds} s"),
    )
    .or_next("t2b bots")
}

/// Whether the bot is online now.
async fn is_online(client: &Client, bot: &BotId) -> Result<bool, CommandFailure> {
    let bots = client.bots().await?;
    let online = |known: &BotInfo| known.id == *bot && known.status == BotState::Online;
    Ok(bots.iter().any(online))
}

/// Waits until the bot is online. Errors: the connection ended for good.
pub async fn online(
    client: &Client,
    feed: &mut EventFeed,
    bot: &BotId,
) -> Result<(), CommandFailure> {
    // Presence is told from `auth_ok` on, so nothing is missed between this and the events.
    if feed.during(self::is_online(client, bot)).await? {
        return Ok(());
    }
    let is_online = |id: &BotId, status| id == bot && status == BotState::Online;
    loop {
        match feed.next().await? {
            ClientEvent::BotStatus(known) if is_online(&known.bot_id, known.status) => {
                return Ok(());
            }
            ClientEvent::Bots(list) if list.bots.iter().any(|b| is_online(&b.id, b.status)) => {
                return Ok(());
            }
            ClientEvent::BotStatus(_)
            | ClientEvent::Bots(_)
            | ClientEvent::Connected(_)
            | ClientEvent::Message(_)
            | ClientEvent::Partial(_)
            | ClientEvent::Typing(_)
            | ClientEvent::Unreadable(_)
            | ClientEvent::Registered(_)
            | ClientEvent::Unregistered(_)
            | ClientEvent::RegisterFailed { .. }
            | ClientEvent::Refused(_)
            | ClientEvent::Quota(_)
            | ClientEvent::Migrate(_)
            | ClientEvent::Disconnected { .. }
            | ClientEvent::Lagged { .. } => {}
        }
    }
}

async fn ask(
    client: &Client,
    feed: &mut EventFeed,
    args: &ChatArgs,
    text: &str,
    mut show: FramePrinter,
) -> Result<(), CommandFailure> {
    let question = SendMessage {
        to: args.bot.to_string(),
        text: Some(text.to_owned()),
        ..SendMessage::default()
    };
    let ack = feed.during(client.send(question)).await?;
    let asked = ack.message_id.to_string();
    show.frame(&ServerMessage::MessageAck(ack))?;
    let answer = async {
        loop {
            let event = feed.next().await?;
            if let ClientEvent::Message(message) = &event
                && answers(message, &args.bot, &asked)
            {
                let trouble = shown(&mut show, message)?;
                if is_last_part(message) {
                    return trouble.map_or(Ok(()), Err);
                }
            } else if let ClientEvent::Unreadable(answer) = &event
                && answer.from.as_deref() == Some(args.bot.as_str())
                && answer.kind == SendKind::Message
            {
                show.unreadable(answer)?;
                return Err(unreadable(answer));
            } else if let ClientEvent::Partial(partial) = &event
                && partial.from.as_str() == args.bot.as_str()
            {
                show.partial(partial)?;
            }
        }
    };
    let seconds = args.timeout.as_secs();
    timeout(args.timeout, answer).await.unwrap_or_else(|_| {
        let text = format!("{} did not answer within {seconds} s", args.bot);
        Err(CommandFailure::unavailable("timeout", text).or_next("t2b bots"))
    })
}

/// Whether the message answers ours: by its `replyTo`, or, without one, as it is of that bot.
fn answers(message: &Delivered, bot: &BotId, asked: &str) -> bool {
    match members_of(message).reply_to {
        Some(reply_to) => reply_to == asked,
        None => message.from.as_str() == bot.as_str(),
    }
}

fn unreadable(message: &UnreadableMessage) -> CommandFailure {
    CommandFailure::failed("unreadable", &message.problem)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(body: &Value) -> Delivered {
        let mut data = json!({"from": "bot", "to": "phone",
            "connectionId": "conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC"});
        for (name, value) in body.as_object().unwrap() {
            data[name] = value.clone();
        }
        serde_json::from_value(data).unwrap()
    }

    #[track_caller]
    fn check(body: &Value, expected: (bool, bool)) {
        let (bot, message) = (BotId::parse("bot").unwrap(), message(body));
        let found = (answers(&message, &bot, "m-1"), is_last_part(&message));
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn an_answer_has_our_reply_to_or_none() {
        check(&json!({"replyTo": "m-1"}), (true, true));
        check(&json!({"replyTo": "m-2"}), (false, true));
        check(&json!({}), (true, true));
        check(&json!({"from": "other"}), (false, true));
        check(&json!({"from": "other", "replyTo": "m-1"}), (true, true));
    }

    #[test]
    fn parts_end_with_the_last() {
        check(&json!({"part": 1, "parts": 2}), (true, false));
        check(&json!({"part": 2, "parts": 2}), (true, true));
    }
}
