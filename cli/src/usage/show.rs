//! `usage show`: what each user used, for a person.

use std::collections::BTreeMap;

use gateway::config::ConfigPurpose;
use protocol::UsageMeter;
use serde_json::json;

use super::pages::each_page;
use crate::args::ShowUsageArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say, tell};

/// A user, and a period if the rows are not added up.
type UsageKey = (String, Option<String>);

/// Prints what each user used in a range: in all, or in each period of a step.
pub async fn show(args: ShowUsageArgs) -> Result<(), CommandFailure> {
    let config = args.config.load(ConfigPurpose::Admin)?;
    let mut sums: BTreeMap<UsageKey, BTreeMap<UsageMeter, u64>> = BTreeMap::new();
    let step = args.step.as_deref().unwrap_or("day");
    each_page(&config, &args.range, (step, true), |rows| {
        for row in rows {
            let amount = row.amount().unwrap_or(0);
            let period = args.step.as_ref().map(|_| row.from.clone());
            let sum = sums.entry((row.tenant, period)).or_default();
            *sum.entry(row.meter).or_default() += amount;
        }
        Ok(())
    })
    .await?;
    if sums.is_empty() {
        tell!("nobody used anything in this range");
    }
    for ((user, period), meters) in sums {
        if args.output.json {
            let meters = meters.iter().map(|(meter, amount)| {
                let shown: serde_json::Value = meter.shown(*amount).parse().unwrap_or_default();
                (meter.name().to_owned(), shown)
            });
            let meters: serde_json::Map<_, _> = meters.collect();
            out::json(&json!({"user": user, "from": period, "usage": meters}))?;
            continue;
        }
        match period {
            Some(period) => say!("{user}  {period}")?,
            None => say!("{user}")?,
        }
        for (meter, amount) in meters {
            let (name, unit) = (meter.name(), meter.unit());
            say!("  {name:26} {:>18} {unit}", meter.shown(amount))?;
        }
    }
    Ok(())
}
