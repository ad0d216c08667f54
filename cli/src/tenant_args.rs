//! The commands of `t2b tenant`.

use clap::{Args, Subcommand};
use protocol::{PlanName, TenantId};

use crate::common_args::{AdminArgs, BY_TOKEN, OutputArgs, TenantArgs};
use crate::config_args::HiddenKeys;

#[derive(Subcommand)]
pub enum TenantCommand {
    /// Lists the users that used something, that were changed, or that the configuration names
    #[command(after_help = BY_TOKEN)]
    List(AdminArgs),
    /// Shows a user's plan, limits, allowances and labels
    #[command(after_help = BY_TOKEN)]
    Show(TenantArgs),
    /// Assigns a plan, limits and labels to a user. What you do not name stays as it is
    #[command(after_help = BY_TOKEN)]
    Set(Box<SetTenantArgs>),
    /// Revokes a user's keys and tokens, and removes the assigned plan, limits and labels. The usage stays
    /// in the ledger
    #[command(after_help = BY_TOKEN)]
    Delete(TenantArgs),
    /// Closes a user's connections and refuses new ones
    #[command(after_help = BY_TOKEN)]
    Suspend(TenantArgs),
    /// Lets a suspended user connect again
    #[command(after_help = BY_TOKEN)]
    Resume(TenantArgs),
}

#[derive(Args)]
pub struct SetTenantArgs {
    /// The user's id: 1 to 64 of [A-Za-z0-9._-], the first a letter or a digit
    pub user: TenantId,
    #[command(flatten)]
    pub changes: TenantChanges,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

/// What to change; the rest stays as it is.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub struct TenantChanges {
    /// Assigns this plan of the configuration
    #[arg(long, value_name = "NAME", conflicts_with = "no_plan")]
    pub plan: Option<PlanName>,
    /// Removes the assigned plan. The plan of the configuration, if there is one, is then in effect
    #[arg(long)]
    pub no_plan: bool,
    /// Assigns a limit, like messages_per_second=50. You can repeat it. `NAME=` removes the limit
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_parser = parse_pair)]
    pub limits: Vec<(String, String)>,
    /// Sets a label, like region=eu-1. You can repeat it. `NAME=` removes the label
    #[arg(long = "label", value_name = "NAME=TEXT", value_parser = parse_pair)]
    pub labels: Vec<(String, String)>,
}

/// A name and what is behind its `=`.
fn parse_pair(text: &str) -> Result<(String, String), &'static str> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
