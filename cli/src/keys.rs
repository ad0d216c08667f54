//! `keys issue`, `verify`, `secret`: made and checked here. Only a Redis is asked, if there is one:
//! which generation is valid is there.

use std::io;

use crate::args::{Issue, Verify};
use crate::failure::Failure;

/// Prints a user's key, alone on stdout so that a script can take it.
pub async fn issue(issue: Issue) -> Result<(), Failure> {
    let config = issue.config.load()?;
    let key = config.issue_key(&issue.user, issue.generation).await?;
    println!("{}", key.reveal());
    Ok(())
}

/// Says whose key it is. A revoked key exits 77 like one that was never made.
pub async fn verify(verify: Verify) -> Result<(), Failure> {
    let mut key = verify.key;
    if key == "-" {
        key.clear();
        io::stdin()
            .read_line(&mut key)
            .map_err(|error| Failure::usage("key", error))?;
    }
    let owner = verify.config.load()?.verify_key(key.trim()).await?;
    let (user, generation) = (owner.tenant, owner.generation);
    if generation != owner.current {
        let text = format!("{user}'s key of generation {generation} was revoked");
        return Err(
            Failure::refused("unauthorized", text).or_next(format!("t2b keys issue {user}"))
        );
    }
    println!("valid: user {user}, generation {generation}");
    Ok(())
}

/// Prints a new random secret.
pub fn secret() -> Result<(), Failure> {
    let secret = gateway::config::new_secret().map_err(|e| Failure::failed("randomness", e))?;
    println!("{}", secret.reveal());
    Ok(())
}
