//! `tenant show`: what holds for a user.

use gateway::config::{Config, ConfigPurpose};
use protocol::http::TenantInfo;
use protocol::limits::Limits;
use protocol::{TenantId, UsageHour};
use serde_json::{Value, json};

use super::orders::warn_if_not_persisted;
use crate::admin;
use crate::common_args::TenantArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say};
use crate::term;

/// Prints plan, limits, allowances, labels and policy of a user.
pub async fn show(tenant: TenantArgs) -> Result<(), CommandFailure> {
    let config = tenant.config.load(ConfigPurpose::Admin)?;
    let info = ask(&config, &tenant.user).await?;
    print(&info, tenant.output.json)
}

/// Asks what holds for a user.
pub(super) async fn ask(config: &Config, user: &TenantId) -> Result<TenantInfo, CommandFailure> {
    read(admin::get(config, &format!("tenants/{user}")).await?)
}

/// Reads an answer about a user.
pub(super) fn read(answer: Value) -> Result<TenantInfo, CommandFailure> {
    serde_json::from_value(answer).map_err(|error| CommandFailure::failed("admin", error))
}

/// Prints what holds for a user, for a person or for a program.
pub(super) fn print(info: &TenantInfo, as_json: bool) -> Result<(), CommandFailure> {
    let mut facts = json!(info);
    if as_json {
        if let Some(members) = facts.as_object_mut() {
            let user = members.remove("tenant");
            members.insert("user".to_owned(), json!(user));
        }
        return out::json(&facts);
    }
    for line in lines(info) {
        say!("{}", term::for_stdout(&line))?;
    }
    warn_if_not_persisted(&facts);
    Ok(())
}

fn lines(info: &TenantInfo) -> Vec<String> {
    let plan = plan(info);
    let suspended = if info.suspended { "yes" } else { "no" };
    let mut lines = vec![
        format!("user        {}", info.tenant),
        format!("plan        {plan}"),
        format!("suspended   {suspended}"),
        format!("generation  {}", info.generation),
    ];
    for (name, value) in info.labels.iter() {
        lines.push(format!("label       {name}={value}"));
    }
    for allowance in &info.allowances {
        let bound = |name: &str, bound: Option<u64>| {
            bound.map_or(String::new(), |bound| format!(", {name} {bound}"))
        };
        lines.push(format!(
            "allowance   {}: {} used{}{}",
            allowance.meter.name(),
            allowance.used,
            bound("soft", allowance.soft),
            bound("hard", allowance.hard),
        ));
    }
    if !info.allowances.is_empty() {
        let next = UsageHour::of(info.resets_at).rfc3339();
        lines.push(format!("            the next month begins at {next}"));
    }
    let facts = (
        json!(info.limits),
        json!(info.assigned.limits),
        json!(Limits::default()),
    );
    let (limits, assigned, defaults) = facts;
    for (name, number) in limits.as_object().into_iter().flatten() {
        match (assigned[name].is_null(), defaults[name] == *number) {
            (false, _) => lines.push(format!("limit       {name} {number}, assigned")),
            (true, false) => lines.push(format!("limit       {name} {number}")),
            (true, true) => {}
        }
    }
    lines.push("            all other limits have their defaults; --json shows them".to_owned());
    lines
}

/// Which plan holds, and which one is assigned in vain.
fn plan(info: &TenantInfo) -> String {
    let assigned = info.assigned.plan.as_ref();
    let mut plan = match &info.plan {
        Some(plan) if assigned == Some(plan) => return format!("{plan}, assigned"),
        Some(plan) => format!("{plan}, of the configuration"),
        None => "none".to_owned(),
    };
    if let Some(assigned) = assigned {
        plan += &format!("; {assigned} is assigned, and the configuration does not have it");
    }
    plan
}
