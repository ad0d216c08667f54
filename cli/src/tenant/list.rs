//! `tenant list`: the users that used something, that an operator changed, or that the configuration names.

use gateway::config::ConfigPurpose;
use serde_json::{Value, json};

use crate::admin;
use crate::common_args::AdminArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say, tell};
use crate::term;

/// Prints them, one a line.
pub async fn list(asked: AdminArgs) -> Result<(), CommandFailure> {
    let config = asked.config.load(ConfigPurpose::Admin)?;
    let mut path = "tenants?limit=1000".to_owned();
    let mut count = 0;
    loop {
        let page = admin::get(&config, &path).await?;
        for tenant in page["tenants"].as_array().into_iter().flatten() {
            count += 1;
            print(tenant, asked.output.json)?;
        }
        match page["next"].as_str() {
            Some(next) => path = format!("tenants?limit=1000&after={next}"),
            None => break,
        }
    }
    if count == 0 {
        tell!("no users yet");
    }
    Ok(())
}

fn print(tenant: &Value, as_json: bool) -> Result<(), CommandFailure> {
    let user = tenant["tenant"].as_str().unwrap_or("?");
    let (plan, suspended) = (&tenant["plan"], &tenant["suspended"]);
    let last_used = &tenant["last_used"];
    if as_json {
        let generation = &tenant["generation"];
        return out::json(&json!({
            "user": user, "plan": plan, "last_used": last_used, "suspended": suspended, "generation": generation,
        }));
    }
    let day = last_used.as_str().and_then(|time| time.get(..10));
    let mut line = format!("{user}  {}", day.unwrap_or("never used"));
    if let Some(plan) = plan.as_str() {
        line += &format!("  plan {plan}");
    }
    if *suspended == true {
        line += "  suspended";
    }
    say!("{}", term::for_stdout(&line))
}
