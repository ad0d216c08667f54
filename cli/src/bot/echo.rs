//! `bot echo`: a bot that answers with the same text, after two partials.

use std::time::Duration;

use client::{Client, members_of};
use protocol::BotId;
use protocol::presence::RegisterBot;
use protocol::t2b::frames::Delivered;
use tokio::time::sleep;

use super::{AnswerFailure, BotAnswer, described, partial};
use crate::args::EchoArgs;
use crate::failure::CommandFailure;

/// Between two partials: sent at once, the gateway would leave out all but the newest.
const TYPING: Duration = Duration::from_millis(40);

/// Echoes until SIGTERM or Ctrl-C.
pub async fn run(args: EchoArgs) -> Result<(), CommandFailure> {
    super::run(&args.target, bot(&args.id), SameText).await
}

/// What it registers as.
pub fn bot(id: &BotId) -> RegisterBot {
    described(id, "Echo", "echo", "Answers with the same text")
}

/// The same text.
pub struct SameText;

impl BotAnswer for SameText {
    async fn answer(&self, client: &Client, message: &Delivered) -> Result<String, AnswerFailure> {
        let text = members_of(message).text.unwrap_or_default();
        let half: String = text.chars().take(text.chars().count() / 2).collect();
        for (seq, so_far) in [(1, half.as_str()), (2, text.as_str())] {
            partial(client, message, seq, so_far).await;
            sleep(TYPING).await;
        }
        Ok(text)
    }
}
