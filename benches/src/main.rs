//! Figures of speed and memory: the gateway beside a yardstick, both on one core.
//!
//! ```text
//!  relay ─┬─ core 0: serve raw | serve gateway   (a new process each round, in turns)
//!         └─ core 1: load                        (checks every delivery, counts, times)
//!  idle  ─┬─ core 0: serve gateway
//!         └─ any:    holds the sockets, answers pings
//! ```
//!
//! Not a load test of a deployment: loopback, one core, closed loop. See `README.md` beside this.

mod idle;
mod load;
mod message;
mod process;
mod product;
mod raw;
mod relay;
mod stats;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Figures of speed and memory")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compares the gateway with the raw relay, round by round
    Relay(relay::Options),
    /// Measures what a silent socket costs
    Idle(idle::Options),
    /// Serves the raw relay (started by `relay`)
    ServeRaw,
    /// Serves the gateway (started by `relay` and `idle`)
    ServeGateway {
        /// Its configuration
        config: PathBuf,
    },
    /// Drives one round (started by `relay`)
    Load(load::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Relay(options) => relay::run(&options),
        Command::Idle(options) => idle::run(&options),
        Command::ServeRaw => raw::serve(),
        Command::ServeGateway { config } => product::serve(config),
        Command::Load(options) => load::run(&options),
    }
}
