//! `tenant set`: changes the plan, the limits and the labels that are assigned to a user.

use std::collections::BTreeMap;

use gateway::config::ConfigPurpose;
use protocol::http::{TenantInfo, TenantOrder};
use protocol::units::parse_size;
use protocol::{LimitChanges, TenantLabels};

use super::show::{ask, print, read};
use crate::admin;
use crate::failure::CommandFailure;
use crate::tenant_args::{SetTenantArgs, TenantChanges};

/// Assigns what is given, and leaves the rest as it is. Prints what holds then.
///
/// Between reading and writing, another operator may have changed something else, which is then undone: the
/// answer shows what holds.
pub async fn set(args: SetTenantArgs) -> Result<(), CommandFailure> {
    let SetTenantArgs {
        user,
        changes,
        output,
        config,
    } = args;
    let config = config.load(ConfigPurpose::Admin)?;
    let before = ask(&config, &user).await?;
    let body = serde_json::to_string(&order(changes, before)?);
    let body = body.map_err(|error| CommandFailure::failed("json", error))?;
    let answer = admin::put(&config, &format!("tenants/{user}"), &body).await?;
    print(&read(answer)?, output.json)
}

/// What is assigned afterwards. Errors: a limit or a label breaks a rule.
fn order(changes: TenantChanges, before: TenantInfo) -> Result<TenantOrder, CommandFailure> {
    let plan = match changes.no_plan {
        true => None,
        false => changes.plan.or(before.assigned.plan),
    };
    let assigned = before.assigned.limits.iter();
    let assigned = assigned.map(|(name, number)| (name, number.to_string()));
    let limits = limit_changes(changed(assigned, changes.limits))?;
    let present = before.labels.iter();
    let present = present.map(|(name, value)| (name, value.to_owned()));
    let labels = match changes.labels.is_empty() {
        true => None,
        false => Some(labels(changed(present, changes.labels))?),
    };
    Ok(TenantOrder {
        plan,
        limits,
        suspended: None,
        labels,
    })
}

/// What there is, with the changes. A change to an empty text removes.
fn changed<'a>(
    before: impl Iterator<Item = (&'a str, String)>,
    changes: Vec<(String, String)>,
) -> BTreeMap<String, String> {
    let before = before.map(|(name, value)| (name.to_owned(), value));
    let mut after: BTreeMap<String, String> = before.chain(changes).collect();
    after.retain(|_, value| !value.is_empty());
    after
}

fn limit_changes(limits: BTreeMap<String, String>) -> Result<LimitChanges, CommandFailure> {
    let mut changes = LimitChanges::default();
    for (name, text) in limits {
        let wrong = |rule: &dyn std::fmt::Display| {
            CommandFailure::usage("limit", format!("{name}: {rule}"))
        };
        let number = text.parse().or_else(|_| parse_size(&text));
        let number = number.map_err(|_| wrong(&"expected a number, or a size like 64KiB"))?;
        changes.set(&name, number).map_err(|rule| wrong(&rule))?;
    }
    Ok(changes)
}

fn labels(texts: BTreeMap<String, String>) -> Result<TenantLabels, CommandFailure> {
    let mut labels = TenantLabels::default();
    for (name, value) in texts {
        let added = labels.add(name, value);
        added.map_err(|error| CommandFailure::usage("label", error))?;
    }
    Ok(labels)
}
