//! `t2b`: the gateway, and everything that a person does with it.
//!
//! | file | holds |
//! | --- | --- |
//! | `args.rs`, `config_args.rs` | what can be said on the command line |
//! | `serve.rs`, `admin.rs` | `gateway run`, `status`, `config`, `tenant …`, `keys revoke` |
//! | `keys.rs` | `keys issue`, `verify`, `secret` |
//! | `connect.rs` | which gateway and key the client commands use |
//! | `bots.rs`, `chat/`, `echo.rs` | `bots`, `chat`, `bot echo` |
//! | `demo.rs` | `demo` |
//! | `failure.rs`, `term.rs` | how it ends, how it looks |

mod admin;
mod args;
mod bots;
mod chat;
mod config_args;
mod connect;
mod demo;
mod echo;
mod failure;

mod keys;
mod serve;
mod term;

use std::process::ExitCode;

use args::{BotCommand, Command, GatewayCommand, KeysCommand, TenantCommand};
use failure::Failure;

/// Chosen by measurement: see docs/performance.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let command = match args::parse() {
        Ok(command) => command,
        Err(code) => return code,
    };
    let done = match gateway::machine::runtime() {
        Ok(runtime) => runtime.block_on(run(command)),
        Err(error) => Err(Failure::failed("runtime", error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Gateway(GatewayCommand::Run(config)) => serve::run(config).await,
        Command::Gateway(GatewayCommand::Status(config)) => serve::status(config).await,
        Command::Gateway(GatewayCommand::Config(config)) => serve::show_config(config),
        Command::Keys(KeysCommand::Issue(issue)) => keys::issue(issue).await,
        Command::Keys(KeysCommand::Revoke(tenant)) => admin::revoke(tenant).await,
        Command::Keys(KeysCommand::Verify(verify)) => keys::verify(verify).await,
        Command::Keys(KeysCommand::Secret) => keys::secret(),
        Command::Keys(KeysCommand::UsingOld(asked)) => admin::using_old(asked).await,
        Command::Tenant(TenantCommand::Suspend(tenant)) => admin::suspend(tenant).await,
        Command::Tenant(TenantCommand::Resume(tenant)) => admin::resume(tenant).await,
        Command::Bots(list) => bots::run(list).await,
        Command::Chat(chat) => chat::run(chat).await,
        Command::Bot(BotCommand::Echo(echo)) => echo::run(echo).await,
        Command::Demo => demo::run().await,
    }
}
