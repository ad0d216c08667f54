//! Measures the gateway; see the library of this crate.

use std::net::SocketAddr;
use std::path::PathBuf;

use benches::servers::{gateway, raw, raw_redis};
use benches::{builds, idle, instructions, load, relay, tenants};
use clap::{Parser, Subcommand};

/// The one of the program that users get: what is measured here is that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Parser)]
#[command(about = "Figures of speed and memory")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compares the gateway with raw relays and other servers, round by round
    Relay(relay::Options),
    /// Compares the gateway of this build with that of another one, both at once
    Builds(builds::Options),
    /// Measures what a silent socket costs
    Idle(idle::Options),
    /// Compares a node of many tenants with one of few
    Tenants(tenants::Options),
    /// Counts the instructions of a message, and compares them with those on file
    Instructions(instructions::Options),
    /// Repeats one step of a message's way (started by `instructions`)
    RunStep(instructions::RunOptions),
    /// Serves the raw relay (started by `relay`)
    ServeRaw,
    /// Serves one of two raw relays over Redis (started by `relay`)
    ServeRawRedis {
        redis: SocketAddr,
        own: char,
        other: char,
    },
    /// Serves the gateway (started by `relay` and `idle`)
    ServeGateway {
        /// Its configuration
        config: PathBuf,
    },
    /// Drives one round (started by `relay`)
    Load(load::Options),
}

fn main() -> anyhow::Result<()> {
    // Servers that are started from here have it too.
    rlimit::increase_nofile_limit(u64::MAX)?;
    match Arguments::parse().command {
        Command::Relay(options) => relay::run(&options),
        Command::Builds(options) => builds::run(&options),
        Command::Idle(options) => idle::run(&options),
        Command::Tenants(options) => tenants::run(&options),
        Command::Instructions(options) => instructions::run(&options),
        Command::RunStep(options) => instructions::run_step(&options),
        Command::ServeRaw => raw::serve(),
        Command::ServeRawRedis { redis, own, other } => raw_redis::serve(redis, own, other),
        Command::ServeGateway { config } => gateway::serve(config),
        Command::Load(options) => load::run(&options),
    }
}
