//! The command line. Wrong usage exits with 64.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use protocol::units::{parse_duration, parse_size};
use protocol::{BotId, ClientId, TenantId};

use crate::common_args::{AdminArgs, BY_TOKEN, OutputArgs, TenantArgs};
use crate::config_args::{AllKeys, HiddenKeys};
use crate::export_args::ExportUsageArgs;
use crate::failure::{CommandFailure, USAGE};
use crate::tenant_args::TenantCommand;
use crate::{out, report};

/// Runs the Tunnels-to-Bots gateway, and talks with its bots.
#[derive(Parser)]
#[command(name = "t2b", version)]
struct CommandLine {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Subcommand)]
pub enum CliCommand {
    /// Starts a gateway, an echo bot and a client, and shows a conversation
    Demo,
    /// Runs a gateway, and shows its status and configuration
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// Issues, verifies and revokes API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Lists, shows, changes, suspends and deletes users
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Says why a user's bot is offline, and what happened to the user's connections lately
    #[command(after_help = BY_TOKEN)]
    Why(WhyArgs),
    /// Shows what users used, and exports it to billing systems
    #[command(subcommand)]
    Usage(UsageCommand),
    /// Lists your bots
    Bots(BotsArgs),
    /// Sends messages to a bot and prints its answers
    Chat(ChatArgs),
    /// Runs a bot
    #[command(subcommand)]
    Bot(BotCommand),
    /// Prints the completion script of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Writes a man page for every command
    Man {
        /// The folder for the man pages. t2b creates it if it does not exist
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum GatewayCommand {
    /// Runs a gateway until SIGTERM or Ctrl-C
    #[command(after_help = BY_KEYS)]
    Run(AllKeys),
    /// Shows the status of the running gateway. Exits with 2 if the gateway cannot reach its store
    #[command(after_help = BY_TOKEN)]
    Status(StatusArgs),
    /// Sends the sockets of the running gateway to the other nodes, without ending it
    #[command(after_help = BY_TOKEN)]
    Drain(DrainArgs),
    /// Lets the running gateway take sockets again after `t2b gateway drain`
    #[command(after_help = BY_TOKEN)]
    Undrain(AdminArgs),
    /// Makes the running gateway read its configuration again. No socket closes
    #[command(after_help = BY_TOKEN)]
    Reload(ReloadArgs),
    /// Prints the effective configuration. Credentials are masked
    #[command(after_help = BY_KEYS)]
    Config(InspectArgs),
}

#[derive(Args)]
pub struct StatusArgs {
    /// Prints nothing and needs no token. Exits with 0 if the process answers, also while it starts or cannot reach
    /// its store
    #[arg(long, conflicts_with = "json")]
    pub quiet: bool,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Args)]
pub struct DrainArgs {
    /// Returns when no socket is left
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Args)]
pub struct ReloadArgs {
    /// Applies new secrets also if open sockets or other nodes use only those that are left out
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

/// The help of commands that make or check keys.
const BY_SECRETS: &str = "This command reads the gateway's configuration. You can also give it these flags of \
    `t2b gateway run`, or set the matching variables (T2B_SECRETS_FILE for --secrets-file): --secrets-file, \
    --state-dir, --redis, --redis-prefix, --redis-insecure.";
/// The help of commands that list all keys.
const BY_KEYS: &str = "Each flag is also a T2B_ variable (T2B_ADMIN_LISTEN for --admin-listen) and a key of the \
    configuration file (admin_listen). The texts above name keys as the file does.";

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Prints a user's API key
    #[command(after_help = BY_SECRETS)]
    Issue(IssueArgs),
    /// Makes the running gateway revoke all keys and tokens of a user and close the user's connections
    #[command(after_help = BY_TOKEN)]
    Revoke(TenantArgs),
    /// Verifies a key and prints its user
    #[command(after_help = BY_SECRETS)]
    Verify(VerifyArgs),
    /// Prints a new random secret
    Secret(OutputArgs),
    /// Lists the users who are connected to the running gateway with a key or token that an old secret signed
    #[command(after_help = BY_TOKEN)]
    UsingOld(AdminArgs),
}

#[derive(Subcommand)]
pub enum UsageCommand {
    /// Shows what each user used in a range of time
    #[command(after_help = BY_TOKEN)]
    Show(Box<ShowUsageArgs>),
    /// Prints closed rows of usage as billing events, or sends them to a billing system
    #[command(after_help = BY_TOKEN)]
    Export(Box<ExportUsageArgs>),
    /// Checks the ledger: messages and their outcomes add up, and nothing was changed or lost. Exits with 1 if
    /// something is wrong
    #[command(after_help = BY_TOKEN)]
    Check(Box<CheckUsageArgs>),
}

/// Whose hours of usage a command is about.
#[derive(Args)]
pub struct UsageRange {
    /// The user's id [default: all users]
    pub user: Option<TenantId>,
    /// The first day or hour, like 2026-11-28 or 2026-11-28T09:00:00Z [default: the first day of this month]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// The first day or hour after the range, at most 62 days after --from [default: the end of this hour or day]
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

/// Which rows of usage a command is about.
#[derive(Args)]
pub struct UsageRows {
    #[command(flatten)]
    pub range: UsageRange,
    /// The meter [default: all meters]
    #[arg(long)]
    pub meter: Option<String>,
}

#[derive(Args)]
pub struct ShowUsageArgs {
    #[command(flatten)]
    pub rows: UsageRows,
    /// Shows each period of this length, instead of the sum
    #[arg(long, value_parser = ["hour", "day"])]
    pub step: Option<String>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Args)]
pub struct CheckUsageArgs {
    #[command(flatten)]
    pub range: UsageRange,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Subcommand)]
pub enum BotCommand {
    /// Runs a bot that sends every message back
    Echo(EchoArgs),
    /// Runs a program for every message. The program reads the text from standard input and writes the answer
    /// to standard output
    Exec(ExecArgs),
}

#[derive(Args)]
pub struct InspectArgs {
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: AllKeys,
}

#[derive(Args)]
pub struct IssueArgs {
    /// The user's id: 1 to 64 of [A-Za-z0-9._-], the first a letter or a digit
    pub user: TenantId,
    /// The key generation [default: the current one]
    #[arg(long)]
    pub generation: Option<u64>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Args)]
pub struct VerifyArgs {
    /// The key, or - to read it from standard input
    pub key: String,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Args)]
pub struct WhyArgs {
    /// The user's id: 1 to 64 of [A-Za-z0-9._-], the first a letter or a digit
    pub user: TenantId,
    /// The bot's id [default: all bots of the user]
    pub bot: Option<BotId>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

/// Which gateway a command uses, and with which credential.
#[derive(Args)]
pub struct TargetArgs {
    /// The WebSocket URL of the gateway
    #[arg(long, env = "T2B_URL", default_value = "ws://127.0.0.1:3000/ws")]
    pub url: String,
    /// Your API key or client token. Prefer --key-file: other users of this machine can read a flag.
    /// If you give no key and the URL is loopback, t2b makes a key for the user `local`
    #[arg(long, conflicts_with = "key_file")]
    pub key: Option<String>,
    /// The file with your API key or client token. You can also put the key itself into the variable T2B_KEY
    #[arg(long, value_name = "PATH")]
    pub key_file: Option<PathBuf>,
}

#[derive(Args)]
pub struct BotsArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Prints one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ChatArgs {
    /// The bot's id
    pub bot: BotId,
    /// Sends this text, prints the answer and exits. Without --text, t2b sends each line of standard input
    #[arg(long)]
    pub text: Option<String>,
    /// How long to wait for the answer
    #[arg(long, default_value = "120s", value_parser = parse_duration)]
    pub timeout: Duration,
    /// How long to wait for the bot to come online. Without --wait, t2b waits 30s for a bot that the gateway
    /// knows, and does not wait for any other bot. For 60 s after its start, a gateway without Redis treats
    /// every bot as known
    #[arg(long, value_parser = parse_duration)]
    pub wait: Option<Duration>,
    /// Prints each frame as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Your client id. The bot sends its answers to this id [default: `client_` and your user id]
    #[arg(long, value_name = "ID")]
    pub client_id: Option<ClientId>,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Args)]
pub struct EchoArgs {
    /// The bot's id
    #[arg(long)]
    pub id: BotId,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Args)]
pub struct ExecArgs {
    /// The bot's id
    #[arg(long)]
    pub id: BotId,
    /// Sends the output as partials while the program writes it
    #[arg(long)]
    pub stream: bool,
    /// How many programs may run at the same time
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// How long a program may run
    #[arg(long, default_value = "120s", value_parser = parse_duration)]
    pub timeout: Duration,
    /// How much a program may write
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = parse_size)]
    pub output: u64,
    #[command(flatten)]
    pub target: TargetArgs,
    /// The program and its arguments. The program finds T2B_FROM, T2B_BOT, T2B_MESSAGE_ID,
    /// T2B_CONNECTION_ID and T2B_REPLY_TO in its environment
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// All commands, for completions and man pages.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Reads the command line. Errors: the code to exit with. The message is printed already.
pub fn parse() -> Result<CliCommand, ExitCode> {
    CommandLine::try_parse()
        .map(|cli| cli.command)
        .map_err(|said| {
            if said.use_stderr() && report::is_json() {
                return CommandFailure::usage("usage", said.render()).report();
            }
            let printed = said.print();
            if said.use_stderr() {
                // Nobody is left to tell if this cannot be printed.
                return ExitCode::from(USAGE);
            }
            match out::written(printed) {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => failure.report(),
            }
        })
}
