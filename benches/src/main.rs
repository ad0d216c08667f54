//! Runs a benchmark; the library of this crate describes them.

use std::net::SocketAddr;
use std::path::PathBuf;

use benches::servers::{gateway, raw, raw_redis};
use benches::{builds, idle, instructions, load, relay, tenants, usage};
use clap::{Parser, Subcommand};

/// The one of the program that users get: what is measured here is that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Parser)]
#[command(about = "Figures of speed and memory")]
struct CommandLine {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Subcommand)]
enum BenchCommand {
    /// Compares the gateway with raw relays and other servers, round by round
    Relay(relay::RelayOptions),
    /// Compares the gateway of this build with that of another one, both at once
    Builds(builds::BuildsOptions),
    /// Measures what a silent socket costs
    Idle(idle::IdleOptions),
    /// Compares a node of many tenants with one of few
    Tenants(tenants::TenantsOptions),
    /// Measures scrapes of tenants' series, and what booking usage costs
    Usage(usage::UsageOptions),
    /// Counts the instructions of a message, and compares them with those on file
    Instructions(instructions::CountOptions),
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
    Load(load::LoadOptions),
}

fn main() -> anyhow::Result<()> {
    // Servers that are started from here have it too.
    rlimit::increase_nofile_limit(u64::MAX)?;
    match CommandLine::parse().command {
        BenchCommand::Relay(options) => relay::run(&options),
        BenchCommand::Builds(options) => builds::run(&options),
        BenchCommand::Idle(options) => idle::run(&options),
        BenchCommand::Tenants(options) => tenants::run(&options),
        BenchCommand::Usage(options) => usage::run(&options),
        BenchCommand::Instructions(options) => instructions::run(&options),
        BenchCommand::RunStep(options) => instructions::run_step(&options),
        BenchCommand::ServeRaw => raw::serve(),
        BenchCommand::ServeRawRedis { redis, own, other } => raw_redis::serve(redis, own, other),
        BenchCommand::ServeGateway { config } => gateway::serve(config),
        BenchCommand::Load(options) => load::run(&options),
    }
}
