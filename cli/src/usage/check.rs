//! `usage check`: whether the ledger is right.

use gateway::config::ConfigPurpose;
use serde_json::{Value, json};

use super::pages::range_query;
use crate::admin;
use crate::args::CheckUsageArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say};

/// Checks the hours of a range. Errors: something is wrong, which is printed.
pub async fn check(args: CheckUsageArgs) -> Result<(), CommandFailure> {
    let config = args.config.load(ConfigPurpose::Admin)?;
    let (mut hours, mut faults) = (0, Vec::new());
    let mut cursor: Option<String> = None;
    loop {
        let query = range_query(&args.range, cursor.as_deref()).finish();
        let mut page = admin::get(&config, &format!("usage/check?{query}")).await?;
        hours += page["hours"].as_u64().unwrap_or(0);
        if let Value::Array(more) = page["faults"].take() {
            faults.extend(more);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    if args.output.json {
        out::json(&json!({"hours": hours, "faults": faults}))?;
    } else {
        for fault in &faults {
            let text = |name: &str| fault[name].as_str().unwrap_or_default().to_owned();
            let place = [text("tenant"), text("hour")];
            let place: Vec<String> = place.into_iter().filter(|word| !word.is_empty()).collect();
            say!("{}: {}", place.join(" "), text("what"))?;
        }
        let checked = out::count(hours, "hour");
        say!(
            "{checked} checked, {} wrong",
            out::count(faults.len() as u64, "thing")
        )?;
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(CommandFailure::failed_as_told()),
    }
}
