//! `why`: why a bot is offline, as the running gateway knows it.
//!
//! | file | holds |
//! | --- | --- |
//! | `sentences.rs` | the answer in sentences |
//! | `events.rs` | the events, a line each |
//! | `fields.rs` | members of the answer |

mod events;
mod fields;
mod sentences;

use gateway::config::ConfigPurpose;
use serde_json::Value;

use self::events::lines;
use self::fields::text;
use self::sentences::sentences;
use crate::admin;
use crate::args::WhyArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say, tell};
use crate::term;

/// Prints the answer, then what happened lately, the newest first.
pub async fn run(args: WhyArgs) -> Result<(), CommandFailure> {
    let config = args.config.load(ConfigPurpose::Admin)?;
    let path = match &args.bot {
        Some(bot) => format!("tenants/{}/why?bot={bot}", args.user),
        None => format!("tenants/{}/why", args.user),
    };
    let answer = admin::get(&config, &path).await?;
    if args.output.json {
        return out::json(&answer);
    }
    for sentence in sentences(&answer) {
        say!("{}", term::for_stdout(&sentence))?;
    }
    let lines = lines(&answer);
    if !lines.is_empty() {
        say!("")?;
    }
    for line in lines {
        say!("{}", term::for_stdout(&line))?;
    }
    tell_other_nodes(&answer["node"]);
    Ok(())
}

/// The events are those of one node. Says which others there are.
fn tell_other_nodes(node: &Value) {
    let others = node["others"].as_array().into_iter().flatten();
    let others: Vec<&Value> = others.collect();
    if others.is_empty() {
        return;
    }
    let own = text(&node["boot"]);
    tell!("this is what node {own} saw; the other nodes know what they saw:");
    for other in others {
        let [boot, name, address, state] =
            ["boot", "name", "address", "state"].map(|it| &other[it]);
        let line = format!(
            "  {} {} {} {}",
            text(boot),
            text(name),
            text(address),
            text(state)
        );
        tell!("{}", term::for_stderr(&line));
    }
}
