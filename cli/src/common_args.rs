//! Arguments that many commands have.

use clap::Args;
use protocol::TenantId;

use crate::config_args::HiddenKeys;

/// The help of commands that ask the running gateway.
pub const BY_TOKEN: &str = "This command reads the gateway's configuration. You can also give it these flags of \
    `t2b gateway run`, or set the matching variables (T2B_ADMIN_LISTEN for --admin-listen): --admin-listen, \
    --admin-token-file, --state-dir; for an admin listener with TLS also --admin-tls-cert, --admin-client-cert, \
    --admin-client-key.";
/// How a command prints facts.
#[derive(Args, Clone, Copy)]
pub struct OutputArgs {
    /// Prints one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct AdminArgs {
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Args)]
pub struct TenantArgs {
    /// The user's id: 1 to 64 of [A-Za-z0-9._-], the first a letter or a digit
    pub user: TenantId,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}
