//! `gateway reload`: the running gateway reads its configuration again.

use gateway::config::ConfigPurpose;
use serde_json::Value;

use crate::admin;
use crate::args::ReloadArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say};

/// Asks for it, and says what changed.
pub async fn reload(asked: ReloadArgs) -> Result<(), CommandFailure> {
    let config = asked.config.load(ConfigPurpose::Admin)?;
    let path = match asked.force {
        true => "reload?force=true",
        false => "reload",
    };
    let report = admin::post(&config, path).await?;
    if asked.output.json {
        return out::json(&report);
    }
    if report["unchanged"] == true {
        return say!("unchanged");
    }
    for (member, words) in [("changed", "changed"), ("needs_restart", "needs a restart")] {
        let names = names(&report[member]);
        if !names.is_empty() {
            say!("{words}: {names}")?;
        }
    }
    Ok(())
}

fn names(list: &Value) -> String {
    let names = list.as_array().into_iter().flatten();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    names.join(", ")
}
