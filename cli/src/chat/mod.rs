//! `chat`: one question and its answer, or a conversation line by line.

mod lines;
mod show;

use std::time::Duration;

use client::{Client, Event, Events, members_of};
use protocol::BotId;
use protocol::frame::{Delivered, SendMessage, ServerMessage};
use protocol::presence::BotState;
use tokio::time::timeout;

use crate::args::Chat;
use crate::connect::connect;
use crate::failure::Failure;
use show::Show;

/// Waits for the bot, then talks with it.
pub async fn run(args: Chat) -> Result<(), Failure> {
    let (client, mut events) = connect(&args.target, args.client_id.clone()).await?;
    let show = Show::new(args.json);
    let done = match timeout(args.wait, online(&client, &mut events, &args.bot)).await {
        Ok(Ok(())) => match &args.text {
            Some(text) => ask(&client, &mut events, &args, text, show).await,
            None => lines::run(&client, &mut events, &args, show).await,
        },
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(offline(&args.bot, args.wait)),
    };
    client.close().await;
    done
}

fn offline(bot: &BotId, wait: Duration) -> Failure {
    let seconds = wait.as_secs();
    Failure::unavailable(
        "bot_offline",
        format!("{bot} did not come online within {seconds} s"),
    )
    .or_next("t2b bots")
}

/// Waits until the bot is online. Errors: the connection ended for good.
pub async fn online(client: &Client, events: &mut Events, bot: &BotId) -> Result<(), Failure> {
    let is_online = |id: &BotId, status| id == bot && status == BotState::Online;
    // Presence is told from `auth_ok` on, so nothing is missed between this and the events.
    let bots = client.bots().await?;
    if bots.iter().any(|known| is_online(&known.id, known.status)) {
        return Ok(());
    }
    loop {
        match next(events).await? {
            Event::BotStatus(known) if is_online(&known.bot_id, known.status) => return Ok(()),
            Event::Bots(list) if list.bots.iter().any(|b| is_online(&b.id, b.status)) => {
                return Ok(());
            }
            Event::BotStatus(_)
            | Event::Bots(_)
            | Event::Connected(_)
            | Event::Message(_)
            | Event::Partial(_)
            | Event::Typing(_)
            | Event::Registered(_)
            | Event::Unregistered(_)
            | Event::RegisterFailed { .. }
            | Event::Refused(_)
            | Event::Migrate(_)
            | Event::Disconnected { .. }
            | Event::Lagged { .. } => {}
        }
    }
}

/// The next event. Errors: the connection ended for good.
async fn next(events: &mut Events) -> Result<Event, Failure> {
    match events.next().await {
        Some(Event::Disconnected {
            error,
            retry_in: None,
        }) => Err(error.into()),
        Some(event) => Ok(event),
        None => Err(client::Error::Stopped.into()),
    }
}

async fn ask(
    client: &Client,
    events: &mut Events,
    args: &Chat,
    text: &str,
    mut show: Show,
) -> Result<(), Failure> {
    let question = SendMessage {
        to: args.bot.to_string(),
        text: Some(text.to_owned()),
        ..SendMessage::default()
    };
    let ack = client.send(question).await?;
    let asked = ack.message_id.to_string();
    show.frame(&ServerMessage::MessageAck(ack));
    let answer = async {
        loop {
            let event = next(events).await?;
            if let Event::Message(message) = &event
                && answers(message, &args.bot, &asked)
            {
                show.message(message);
                if is_last_part(message) {
                    return Ok(());
                }
            } else if let Event::Partial(partial) = &event
                && partial.from.as_str() == args.bot.as_str()
            {
                show.partial(partial);
            }
        }
    };
    let seconds = args.timeout.as_secs();
    timeout(args.timeout, answer).await.unwrap_or_else(|_| {
        let text = format!("{} did not answer within {seconds} s", args.bot);
        Err(Failure::unavailable("timeout", text).or_next("t2b bots"))
    })
}

/// Whether the message answers ours: by its `replyTo`, or, without one, as it is of that bot.
fn answers(message: &Delivered, bot: &BotId, asked: &str) -> bool {
    match members_of(message).reply_to {
        Some(reply_to) => reply_to == asked,
        None => message.from.as_str() == bot.as_str(),
    }
}

fn is_last_part(message: &Delivered) -> bool {
    let members = members_of(message);
    match (members.part, members.parts) {
        (Some(part), Some(parts)) => part >= parts,
        (Some(_), None) | (None, Some(_)) | (None, None) => true,
    }
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
