//! A conversation: each line of standard input is a message, each message of the bot is a line.

use std::collections::BTreeSet;

use client::{Client, ClientEvent, members_of};
use protocol::BotId;
use protocol::message::SendKind;
use protocol::t2b::frames::SendMessage;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::timeout;

use super::answer::shown;
use super::parts::is_last_part;
use super::show::FramePrinter;
use crate::args::ChatArgs;
use crate::failure::CommandFailure;
use crate::feed::EventFeed;
use crate::out::{self, tell};
use crate::term;

/// Talks until the input ends and every line is answered. Errors: also one line that was not sent, or
/// one answer that is an error.
pub async fn run(
    client: &Client,
    feed: &mut EventFeed,
    args: &ChatArgs,
    show: FramePrinter,
) -> Result<(), CommandFailure> {
    if term::is_read() && !args.json {
        tell!("{} is online; Ctrl-D ends", args.bot);
    }
    let mut talk = LineChat {
        bot: &args.bot,
        show,
        due: BTreeSet::new(),
        failed: false,
    };
    let mut lines = BufReader::new(stdin()).split(b'\n');
    loop {
        tokio::select! {
            line = lines.next_segment() => match line {
                Ok(Some(line)) => talk.read(client, feed, line).await?,
                Ok(None) => break,
                Err(error) => return Err(CommandFailure::failed("stdin", error)),
            },
            event = feed.next() => talk.on_event(&event?)?,
        }
    }
    let rest = async {
        while !talk.due.is_empty() {
            talk.on_event(&feed.next().await?)?;
        }
        match talk.failed {
            true => Err(CommandFailure::failed_as_told()),
            false => Ok(()),
        }
    };
    timeout(args.timeout, rest).await.unwrap_or_else(|_| {
        Err(
            CommandFailure::unavailable("timeout", "not every line was answered")
                .or_next("t2b bots"),
        )
    })
}

struct LineChat<'a> {
    bot: &'a BotId,
    show: FramePrinter,
    /// Messages without an answer yet.
    due: BTreeSet<String>,
    /// Whether an error was told, of a line or of an answer.
    failed: bool,
}

impl LineChat<'_> {
    /// Sends a line, unless nothing is on it. One that is no text is told and the talk goes on.
    async fn read(
        &mut self,
        client: &Client,
        feed: &mut EventFeed,
        line: Vec<u8>,
    ) -> Result<(), CommandFailure> {
        let Ok(line) = String::from_utf8(line) else {
            out::tell_error("stdin", "a line is not UTF-8: it is not sent");
            self.failed = true;
            return Ok(());
        };
        let line = line.strip_suffix('\r').unwrap_or(&line);
        match line.trim() {
            "" => Ok(()),
            _ => self.say(client, feed, line.to_owned()).await,
        }
    }

    /// Sends a line. A refusal that concerns only this line is told and the talk goes on.
    async fn say(
        &mut self,
        client: &Client,
        feed: &mut EventFeed,
        text: String,
    ) -> Result<(), CommandFailure> {
        let message = SendMessage {
            to: self.bot.to_string(),
            text: Some(text),
            ..SendMessage::default()
        };
        match feed.during(client.send(message)).await {
            Ok(ack) => {
                self.due.insert(ack.message_id.to_string());
                Ok(())
            }
            Err(
                error @ (client::ClientError::Refused(_) | client::ClientError::TooLarge { .. }),
            ) => {
                out::tell_error(error.reason(), &error.to_string());
                self.failed = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn on_event(&mut self, event: &ClientEvent) -> Result<(), CommandFailure> {
        if let ClientEvent::Message(message) = event {
            if let Some(trouble) = shown(&mut self.show, message)? {
                trouble.report();
                self.failed = true;
            }
            let reply_to = members_of(message).reply_to;
            if is_last_part(message) {
                match reply_to {
                    Some(answered) => drop(self.due.remove(&answered)),
                    // A bot that does not say what it answers answers in turn.
                    None if message.from.as_str() == self.bot.as_str() => {
                        self.due.pop_first();
                    }
                    None => {}
                }
            }
        } else if let ClientEvent::Partial(partial) = event {
            self.show.partial(partial)?;
        } else if let ClientEvent::Unreadable(message) = event
            && message.kind == SendKind::Message
        {
            self.show.unreadable(message)?;
            out::tell_error("unreadable", &message.problem);
            self.failed = true;
            if message.from.as_deref() == Some(self.bot.as_str()) {
                // Which line it answers stands in what cannot be read.
                self.due.pop_first();
            }
        }
        Ok(())
    }
}
