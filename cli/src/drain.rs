//! `gateway drain` and `undrain`: the sockets of the running gateway move to the other nodes, and may come back.

use std::time::Duration;

use gateway::config::{Config, ConfigPurpose};
use serde_json::Value;
use tokio::time::sleep;

use crate::admin;
use crate::args::DrainArgs;
use crate::common_args::AdminArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say};

/// Between two looks at how far it is.
const POLL: Duration = Duration::from_millis(500);

/// Begins to drain, and may wait for the end.
pub async fn drain(asked: DrainArgs) -> Result<(), CommandFailure> {
    let config = asked.config.load(ConfigPurpose::Admin)?;
    let mut drain = admin::post(&config, "drain").await?;
    if asked.wait {
        drain = drained(&config).await?;
    }
    match asked.output.json {
        true => out::json(&drain),
        false => show(&drain),
    }
}

/// Takes it back.
pub async fn undrain(asked: AdminArgs) -> Result<(), CommandFailure> {
    let config = asked.config.load(ConfigPurpose::Admin)?;
    let drain = admin::post(&config, "undrain").await?;
    match asked.output.json {
        true => out::json(&drain),
        false => show(&drain),
    }
}

/// Waits until no socket is left. Errors: exit 1, somebody took the drain back.
async fn drained(config: &Config) -> Result<Value, CommandFailure> {
    loop {
        let status = admin::get(config, "status").await?;
        match status["drain"]["phase"].as_str() {
            Some("drained") => return Ok(status["drain"].clone()),
            Some("serving") => {
                let text = "somebody took the drain back";
                return Err(CommandFailure::failed("drain", text));
            }
            Some(_) | None => sleep(POLL).await,
        }
    }
}

fn show(drain: &Value) -> Result<(), CommandFailure> {
    let number = |name: &str| drain[name].as_u64().unwrap_or(0);
    say!(
        "{}: {} connections are open; {} asked to move, {} moved, {} closed",
        drain["phase"].as_str().unwrap_or("?"),
        number("connections"),
        number("asked"),
        number("moved"),
        number("closed")
    )
}
