//! The tables `[plans.<name>]`: limits and monthly allowances that tenants have in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::units::{parse_duration, parse_size};
use protocol::{Allowance, Allowances, Limits, PlanName, UsageMeter};
use router_core::terms::Plan;

use super::limits::field;
use super::raw::{ConfigError, RawAllowance, RawPlan};
use super::values::whole;

/// The plans of the file, their limits over those of the node.
pub(super) fn read(
    node: &Limits,
    raw: &BTreeMap<String, RawPlan>,
) -> Result<BTreeMap<PlanName, Plan>, ConfigError> {
    let plans = raw.iter().map(|(name, raw)| {
        let table = format!("plans.{name}");
        let plan = PlanName::parse(name).map_err(|e| ConfigError::new(&table, &raw.place, e))?;
        let changes = super::limits::read(node, &raw.limits, &format!("{table}.limits"))?;
        let month = raw.month.iter();
        let month = month.map(|(meter, raw)| allowance(&format!("{table}.month"), meter, raw));
        let settings = Plan {
            limits: Arc::new(changes.over(node)),
            allowances: Arc::new(month.collect::<Result<Allowances, ConfigError>>()?),
        };
        Ok((plan, settings))
    });
    plans.collect()
}

/// The plan with a name. Errors: there is none.
pub(super) fn named(plans: &BTreeMap<PlanName, Plan>, text: &str) -> Result<PlanName, String> {
    let named = plans.keys().find(|name| name.as_str() == text);
    named
        .cloned()
        .ok_or_else(|| "there is no such plan".to_owned())
}

/// The allowance of a meter. Errors: there is no such meter, or no such amount of it; a soft allowance that
/// is above the hard one.
fn allowance(
    table: &str,
    name: &str,
    raw: &RawAllowance,
) -> Result<(UsageMeter, Allowance), ConfigError> {
    let key = format!("{table}.{name}");
    let Some(meter) = UsageMeter::parse(name) else {
        return Err(ConfigError::new(key, &raw.place, "no such meter"));
    };
    let parse = |text: &str| amount(meter, text);
    let allowance = Allowance {
        soft: field((&key, "soft"), raw.soft.as_ref(), parse)?,
        hard: field((&key, "hard"), raw.hard.as_ref(), parse)?,
    };
    let problem = match allowance {
        Allowance {
            soft: None,
            hard: None,
        } => "expected `soft`, `hard` or both",
        Allowance {
            soft: Some(soft),
            hard: Some(hard),
        } if soft > hard => "`soft` must not be above `hard`",
        Allowance { .. } => return Ok((meter, allowance)),
    };
    Err(ConfigError::new(key, &raw.place, problem))
}

/// An amount of a meter, in the unit of the ledger.
fn amount(meter: UsageMeter, text: &str) -> Result<u64, String> {
    let whole = whole(text);
    match meter.unit() {
        "bytes" => whole.map_or_else(|| parse_size(text), Ok),
        "seconds" => match whole {
            Some(seconds) => Ok(seconds.saturating_mul(1000)),
            None => {
                let time = parse_duration(text)?;
                match time.subsec_nanos() {
                    0 => Ok(time.as_secs().saturating_mul(1000)),
                    _ => Err("expected whole seconds".to_owned()),
                }
            }
        },
        _ => whole.ok_or_else(|| "expected a whole number".to_owned()),
    }
}
