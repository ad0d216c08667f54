//! What can be said on the command line. Wrong usage exits 64.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use protocol::units::{parse_duration, parse_size};
use protocol::{BotId, ClientId, TenantId};

use crate::config_args::{AllKeys, HiddenKeys};
use crate::failure::USAGE;
use crate::out;

/// Lets AI bots behind NAT be reached by their owners.
#[derive(Parser)]
#[command(name = "t2b", version, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Subcommand)]
pub enum CliCommand {
    /// Starts a gateway, an echo bot and a client, and shows a conversation
    Demo,
    /// Runs a gateway, or looks at one
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// Makes, checks and revokes API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Suspends and resumes users
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Lists bots
    Bots(BotsArgs),
    /// Talks with a bot
    Chat(ChatArgs),
    /// Runs a bot
    #[command(subcommand)]
    Bot(BotCommand),
    /// Prints the completions of a shell
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Writes a man page of every command
    Man {
        /// Folder to write them to; it is made if need be
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum GatewayCommand {
    /// Serves until SIGTERM or Ctrl-C
    Run(AllKeys),
    /// Shows the status of the running gateway
    Status(InspectArgs),
    /// Prints the effective configuration, with credentials masked
    Config(InspectArgs),
}

/// The help of commands that make or check keys.
const BY_SECRETS: &str = "Reads the gateway's configuration: --config, and each flag and T2B_ variable \
    of `t2b gateway run --help`. This command uses only --secrets-file, --state-dir, and --redis with \
    --redis-prefix and --redis-insecure.";
/// The help of commands that ask the running gateway.
const BY_TOKEN: &str = "Reads the gateway's configuration: --config, and each flag and T2B_ variable \
    of `t2b gateway run --help`. This command uses only --admin-listen, --admin-token-file and --state-dir.";

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Prints a user's API key
    #[command(after_help = BY_SECRETS)]
    Issue(IssueArgs),
    /// Revokes all keys and tokens of a user, on the running gateway
    #[command(after_help = BY_TOKEN)]
    Revoke(TenantArgs),
    /// Verifies a key and prints its user
    #[command(after_help = BY_SECRETS)]
    Verify(VerifyArgs),
    /// Prints a new random secret
    Secret(OutputArgs),
    /// Lists the users of the running gateway whose connections use an old secret
    #[command(after_help = BY_TOKEN)]
    UsingOld(UsingOldArgs),
}

#[derive(Subcommand)]
pub enum TenantCommand {
    /// Closes a user's connections and refuses new ones
    #[command(after_help = BY_TOKEN)]
    Suspend(TenantArgs),
    /// Lets a suspended user connect again
    #[command(after_help = BY_TOKEN)]
    Resume(TenantArgs),
}

#[derive(Subcommand)]
pub enum BotCommand {
    /// Echoes every message
    Echo(EchoArgs),
    /// Runs a program for every message: it gets the text on standard input, and its output is the answer
    Exec(ExecArgs),
}

/// How facts are printed.
#[derive(Args, Clone, Copy)]
pub struct OutputArgs {
    /// Prints one JSON object
    #[arg(long)]
    pub json: bool,
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
    /// The user
    pub user: TenantId,
    /// Key generation [default: the current one]
    #[arg(long)]
    pub generation: Option<u64>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Args)]
pub struct VerifyArgs {
    /// The key; - reads it from standard input
    pub key: String,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Args)]
pub struct UsingOldArgs {
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

#[derive(Args)]
pub struct TenantArgs {
    /// The user
    pub user: TenantId,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

/// Which gateway, and as whom.
#[derive(Args)]
pub struct TargetArgs {
    /// The gateway
    #[arg(long, env = "T2B_URL", default_value = "ws://127.0.0.1:3000/ws")]
    pub url: String,
    /// The API key or client token. Prefer --key-file, as others on this machine can read a flag.
    /// If you give no key and the URL is loopback, t2b makes one for the user `local`
    #[arg(long, conflicts_with = "key_file")]
    pub key: Option<String>,
    /// File that holds the API key or client token [env: T2B_KEY is the key itself]
    #[arg(long, value_name = "PATH")]
    pub key_file: Option<PathBuf>,
}

#[derive(Args)]
pub struct BotsArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ChatArgs {
    /// The bot's id
    pub bot: BotId,
    /// Sends this text, prints the answer and exits. Without it, sends each line of standard input
    #[arg(long)]
    pub text: Option<String>,
    /// How long to wait for the answer
    #[arg(long, default_value = "120s", value_parser = parse_duration)]
    pub timeout: Duration,
    /// How long to wait for the bot to come online, even if the gateway does not know it
    /// [default: 30s for a known bot, none for an unknown one]
    #[arg(long, value_parser = parse_duration)]
    pub wait: Option<Duration>,
    /// Prints each frame as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Your client id; the bot sends its answers to it
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
    /// Sends what the program has written so far as partials
    #[arg(long)]
    pub stream: bool,
    /// Most programs that run at the same time
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// How long a program may run
    #[arg(long, default_value = "120s", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Most that a program may write
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = parse_size)]
    pub output: u64,
    #[command(flatten)]
    pub target: TargetArgs,
    /// The program and its arguments. It gets T2B_FROM, T2B_BOT, T2B_MESSAGE_ID, T2B_CONNECTION_ID and
    /// T2B_REPLY_TO in its environment
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// All commands, for completions and man pages.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Reads the command line. Errors: the code to exit with; all is said already.
pub fn parse() -> Result<CliCommand, ExitCode> {
    CommandLine::try_parse()
        .map(|cli| cli.command)
        .map_err(|said| {
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
