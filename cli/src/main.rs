//! `t2b`: the gateway, and the commands of operators, users and bots.
//!
//! | file | holds |
//! | --- | --- |
//! | `args.rs`, `{common,config,export,tenant}_args.rs` | what can be said on the command line |
//! | `signals.rs`, `supervisor.rs` | what ends the commands that serve; what `gateway run` tells systemd |
//! | `serve.rs`, `status.rs`, `drain.rs` | `gateway run`, `config`; `status`; `drain`, `undrain` |
//! | `admin.rs`, `admin_tls.rs` | requests to the running gateway |
//! | `tenant/` | `tenant …`, `keys revoke` |
//! | `usage/`, `why/` | `usage …`, `why` |
//! | `keys.rs`, `old_keys.rs` | `keys issue`, `verify`, `secret`; `keys using-old` |
//! | `connect.rs` | which gateway and key the client commands use |
//! | `feed.rs` | their events, and what is told of their connection |
//! | `bots.rs`, `chat/`, `bot/` | `bots`, `chat`, `bot …` |
//! | `demo.rs`, `manual.rs` | `demo`; `completions`, `man` |
//! | `out.rs`, `term.rs`, `failure.rs`, `report.rs` | what is printed, how it looks, how it ends |

// They panic if nobody reads: `out.rs` prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod admin;
mod admin_tls;
mod args;
mod bot;
mod bots;
mod chat;
mod common_args;
mod config_args;
mod connect;
mod demo;
mod drain;
mod export_args;
mod failure;
mod feed;
mod keys;
mod manual;
mod old_keys;
mod out;
mod reload;
mod report;
mod serve;
mod signals;
mod status;
mod supervisor;
mod tenant;
mod tenant_args;
mod term;
mod usage;
mod why;

use std::process::ExitCode;
use std::time::Duration;

use args::{BotCommand, CliCommand, GatewayCommand, KeysCommand, UsageCommand};
use failure::CommandFailure;
use tenant_args::TenantCommand;

/// Chosen by measurement: see docs/performance.md.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long threads that the system holds (a name being resolved, a file being read) may keep a
/// command that is done.
const THREADS_WAIT: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    report::begin();
    let command = match args::parse() {
        Ok(command) => command,
        Err(code) => return code,
    };
    let done = match gateway::machine::runtime() {
        Ok(runtime) => {
            let done = runtime.block_on(run(command));
            runtime.shutdown_timeout(THREADS_WAIT);
            done
        }
        Err(error) => Err(CommandFailure::failed("runtime", error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(command: CliCommand) -> Result<(), CommandFailure> {
    match command {
        CliCommand::Gateway(GatewayCommand::Run(config)) => serve::run(config).await,
        CliCommand::Gateway(GatewayCommand::Status(asked)) => status::status(asked).await,
        CliCommand::Gateway(GatewayCommand::Drain(asked)) => drain::drain(asked).await,
        CliCommand::Gateway(GatewayCommand::Undrain(asked)) => drain::undrain(asked).await,
        CliCommand::Gateway(GatewayCommand::Reload(asked)) => reload::reload(asked).await,
        CliCommand::Gateway(GatewayCommand::Config(config)) => serve::show_config(config),
        CliCommand::Keys(KeysCommand::Issue(issue)) => keys::issue(issue).await,
        CliCommand::Keys(KeysCommand::Revoke(args)) => tenant::revoke(args).await,
        CliCommand::Keys(KeysCommand::Verify(verify)) => keys::verify(verify).await,
        CliCommand::Keys(KeysCommand::Secret(output)) => keys::secret(output),
        CliCommand::Keys(KeysCommand::UsingOld(asked)) => old_keys::using_old(asked).await,
        CliCommand::Tenant(TenantCommand::List(args)) => tenant::list(args).await,
        CliCommand::Tenant(TenantCommand::Show(args)) => tenant::show(args).await,
        CliCommand::Tenant(TenantCommand::Set(args)) => tenant::set(*args).await,
        CliCommand::Tenant(TenantCommand::Delete(args)) => tenant::delete(args).await,
        CliCommand::Tenant(TenantCommand::Suspend(args)) => tenant::suspend(args).await,
        CliCommand::Tenant(TenantCommand::Resume(args)) => tenant::resume(args).await,
        CliCommand::Why(args) => why::run(args).await,
        CliCommand::Usage(UsageCommand::Show(args)) => usage::show(*args).await,
        CliCommand::Usage(UsageCommand::Export(args)) => usage::export(*args).await,
        CliCommand::Usage(UsageCommand::Check(args)) => usage::check(*args).await,
        CliCommand::Bots(list) => bots::run(list).await,
        CliCommand::Chat(chat) => chat::run(chat).await,
        CliCommand::Bot(BotCommand::Echo(echo)) => bot::echo::run(echo).await,
        CliCommand::Bot(BotCommand::Exec(exec)) => bot::exec::run(exec).await,
        CliCommand::Completions { shell } => manual::completions(shell),
        CliCommand::Man { folder } => manual::pages(&folder),
        CliCommand::Demo => demo::run().await,
    }
}
