//! `usage show`: what each user used, for a person.

use std::collections::BTreeMap;

use gateway::config::ConfigPurpose;
use protocol::UsageMeter;
use serde_json::{Map, Value, json};

use super::pages::each_page;
use crate::args::ShowUsageArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say, tell};

/// A user, and a period if the rows are not added up.
type UsageKey = (String, Option<String>);

/// What was used of a meter, in the unit of the ledger.
#[derive(Default)]
struct UsageSum {
    amount: u64,
    /// What of it was booked into a later hour than its own.
    late: u64,
}

/// Prints what each user used in a range: in all, or in each period of a step.
pub async fn show(args: ShowUsageArgs) -> Result<(), CommandFailure> {
    let config = args.config.load(ConfigPurpose::Admin)?;
    let mut sums: BTreeMap<UsageKey, BTreeMap<UsageMeter, UsageSum>> = BTreeMap::new();
    let step = args.step.as_deref().unwrap_or("day");
    each_page(&config, &args.rows, (step, true), |rows| {
        for row in rows {
            let (amount, late) = (row.amount(), row.late_amount());
            let period = args.step.as_ref().map(|_| row.from.clone());
            let sum = sums.entry((row.tenant, period)).or_default();
            let sum: &mut UsageSum = sum.entry(row.meter).or_default();
            sum.amount += amount.unwrap_or(0);
            sum.late += late.unwrap_or(0);
        }
        Ok(())
    })
    .await?;
    if sums.is_empty() {
        tell!("nobody used anything in this range");
    }
    for ((user, period), meters) in sums {
        if args.output.json {
            let all = meters.iter();
            let usage = shown(all.map(|(meter, sum)| (*meter, sum.amount)));
            let late = meters.iter().filter(|(_, sum)| sum.late > 0);
            let late = shown(late.map(|(meter, sum)| (*meter, sum.late)));
            out::json(&json!({"user": user, "from": period, "usage": usage, "late": late}))?;
            continue;
        }
        match period {
            Some(period) => say!("{user}  {period}")?,
            None => say!("{user}")?,
        }
        for (meter, UsageSum { amount, late }) in meters {
            let (name, unit) = (meter.name(), meter.unit());
            let late = match late {
                0 => String::new(),
                late => format!(", {} late", meter.shown(late)),
            };
            say!("  {name:26} {:>18} {unit}{late}", meter.shown(amount))?;
        }
    }
    Ok(())
}

/// Amounts by meter, as numbers of JSON in the unit of the meter.
fn shown(amounts: impl Iterator<Item = (UsageMeter, u64)>) -> Map<String, Value> {
    let amounts = amounts.map(|(meter, amount)| {
        let shown: Value = meter.shown(amount).parse().unwrap_or_default();
        (meter.name().to_owned(), shown)
    });
    amounts.collect()
}
