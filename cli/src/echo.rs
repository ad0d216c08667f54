//! `bot echo`: a bot that answers with the same text, after two partials.

use std::time::Duration;

use client::{Client, Event, Events, members_of};
use protocol::BotId;
use protocol::frame::{Delivered, SendPartial};
use protocol::presence::RegisterBot;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::args::Echo;
use crate::connect::connect;
use crate::failure::Failure;
use crate::term;

/// Between two partials: sent at once, the gateway would leave out all but the newest.
const TYPING: Duration = Duration::from_millis(40);

/// Echoes until SIGTERM or Ctrl-C.
pub async fn run(args: Echo) -> Result<(), Failure> {
    let (client, events) = connect(&args.target, None).await?;
    register(&client, &args.id).await?;
    println!("{} is online; Ctrl-C ends it", term::bold(args.id.as_str()));
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Failure::failed("signals", error))?;
    let ended = tokio::select! {
        ended = serve(&client, events) => ended,
        _ = terminate.recv() => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    client.close().await;
    ended
}

/// Becomes the bot.
pub async fn register(client: &Client, id: &BotId) -> Result<(), Failure> {
    let bot = RegisterBot {
        bot_id: id.to_string(),
        name: Some("Echo".to_owned()),
        kind: Some("echo".to_owned()),
        capabilities: vec!["chat".to_owned()],
        description: Some("Answers with the same text".to_owned()),
        config: None,
        takeover: None,
        instance: None,
        confirm: None,
    };
    client.register(bot).await?;
    Ok(())
}

/// Answers every message until the client has stopped. Errors: why it stopped.
pub async fn serve(client: &Client, mut events: Events) -> Result<(), Failure> {
    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) => {
                if let Err(error) = echo(client, &message).await {
                    eprintln!("not answered: {}: {error}", error.reason());
                }
            }
            Event::Unregistered(_) => {
                return Err(Failure::failed("replaced", "another process took the bot"));
            }
            Event::RegisterFailed { error, .. } => return Err(error.into()),
            Event::Disconnected {
                error,
                retry_in: None,
            } => return Err(error.into()),
            Event::Disconnected {
                error,
                retry_in: Some(wait),
            } => {
                let seconds = wait.as_secs_f32();
                eprintln!("{}: {error}; again in {seconds:.1} s", error.reason());
            }
            Event::Lagged { lost } => eprintln!("{lost} events came too fast and are lost"),
            Event::Connected(_)
            | Event::Bots(_)
            | Event::Partial(_)
            | Event::Typing(_)
            | Event::BotStatus(_)
            | Event::Registered(_)
            | Event::Refused(_)
            | Event::Migrate(_) => {}
        }
    }
    Ok(())
}

async fn echo(client: &Client, message: &Delivered) -> Result<(), client::Error> {
    let text = members_of(message).text.unwrap_or_default();
    let mut reply = client.reply_to(message, &text);
    // A message has an id of its own shape already, so it can name the stream as well.
    let stream = message.message_id.as_ref().map(ToString::to_string);
    let half: String = text.chars().take(text.chars().count() / 2).collect();
    for (seq, text) in [(1, half), (2, text)] {
        let partial = SendPartial {
            to: reply.to.clone(),
            from: reply.from.clone(),
            stream_id: stream.clone().unwrap_or_default(),
            seq,
            text,
            ..SendPartial::default()
        };
        client.partial(partial).await?;
        sleep(TYPING).await;
    }
    reply.stream_id = stream;
    client.send(reply).await.map(drop)
}
