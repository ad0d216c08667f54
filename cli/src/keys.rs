//! `keys issue`, `verify`, `secret`: work on this machine. Only the valid key generation comes from Redis, if
//! there is one.

use std::io;

use gateway::config::ConfigPurpose;
use serde_json::json;

use crate::args::{IssueArgs, VerifyArgs};
use crate::common_args::OutputArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say};

/// Prints a user's key, alone on stdout so that a script can take it.
pub async fn issue(issue: IssueArgs) -> Result<(), CommandFailure> {
    let config = issue.config.load(ConfigPurpose::Keys)?;
    let key = config.issue_key(&issue.user, issue.generation).await?;
    if issue.output.json {
        let owner = config.verify_key(key.reveal()).await?;
        let (user, generation) = (owner.tenant, owner.generation);
        out::json(&json!({"user": user, "generation": generation, "key": key.reveal()}))?;
        return Ok(());
    }
    say!("{}", key.reveal())?;
    Ok(())
}

/// Says whose key it is. A revoked key exits 77 like one that was never made.
pub async fn verify(verify: VerifyArgs) -> Result<(), CommandFailure> {
    let mut key = verify.key;
    if key == "-" {
        key.clear();
        io::stdin()
            .read_line(&mut key)
            .map_err(|error| CommandFailure::usage("key", error))?;
    }
    let config = verify.config.load(ConfigPurpose::Keys)?;
    let owner = config.verify_key(key.trim()).await?;
    let (user, generation) = (owner.tenant, owner.generation);
    let current = owner.current;
    if generation != current {
        let text = match generation < current {
            true => format!("{user}'s key of generation {generation} was revoked"),
            false => format!(
                "{user}'s key of generation {generation} was not issued yet: the current one is {current}"
            ),
        };
        return Err(
            CommandFailure::refused("unauthorized", text).or_next(format!("t2b keys issue {user}"))
        );
    }
    if verify.output.json {
        out::json(&json!({"user": user, "generation": generation, "current": current}))?;
        return Ok(());
    }
    say!("valid: user {user}, generation {generation}")?;
    Ok(())
}

/// Prints a new random secret.
pub fn secret(output: OutputArgs) -> Result<(), CommandFailure> {
    let secret =
        gateway::config::new_secret().map_err(|e| CommandFailure::failed("randomness", e))?;
    if output.json {
        out::json(&json!({"secret": secret.reveal()}))?;
        return Ok(());
    }
    say!("{}", secret.reveal())?;
    Ok(())
}
