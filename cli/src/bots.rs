//! `bots`: lists the bots of a user.

use protocol::presence::BotState;

use crate::args::BotsArgs;
use crate::connect::connect;
use crate::failure::CommandFailure;
use crate::out::{self, say, tell};
use crate::term;

/// Lists the bots of the key's owner.
pub async fn run(args: BotsArgs) -> Result<(), CommandFailure> {
    let (client, _events) = connect(&args.target, None).await?;
    let bots = client.bots().await?;
    client.close().await;
    if args.json {
        for bot in &bots {
            let line = serde_json::to_string(bot).map_err(|e| CommandFailure::failed("json", e))?;
            say!("{}", term::for_stdout(&line))?;
        }
        return Ok(());
    }
    if bots.is_empty() {
        tell!("no bots yet");
        out::tell_next("t2b bot echo --id bot_echo");
    }
    let width = bots.iter().map(|bot| bot.id.as_str().len()).max();
    let width = width.unwrap_or(0);
    for bot in &bots {
        let state = match bot.status {
            BotState::Online => term::green("online "),
            BotState::Offline => "offline".to_owned(),
        };
        let name = term::for_stdout(&bot.name);
        say!("{:width$}  {state}  {name}", bot.id.as_str())?;
    }
    Ok(())
}
