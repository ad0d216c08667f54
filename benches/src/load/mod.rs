//! The load: pairs of a client A and a bot B, one thread, one epoll.
//!
//! ```text
//!  A ── message n ──▶ server ──▶ B     B answers at once on its own socket
//!  A ◀── answer n ─── server ◀── B     n is one round trip, two messages
//! ```
//!
//! In a closed loop an answer lets A send its next message; in an open loop messages leave at their
//! time, and the round trip counts from that time, so that a server that stalls cannot hide it.
//!
//! Every delivery is checked: the right socket, the right text, each number once and in order, and
//! an ack for each where acks are asked for. Before the measurement every end has heard of its peer;
//! after it nothing new is sent and nothing may be missing. One thing wrong ends it.
//!
//! | file | holds |
//! | --- | --- |
//! | `workload.rs` | how many pairs, how fast; the schedule of an open loop |
//! | `talk.rs` | the way to an open socket, for each server |
//! | `template.rs`, `ledger.rs` | messages, and the check of each |
//! | `end.rs` | one socket |
//! | `stream.rs`, `nats.rs`, `mqtt.rs` | protocols inside binary frames |
//! | `drive.rs` | the loop |
//! | `usage.rs` | what it came to |

mod drive;
mod end;
mod ledger;
mod mqtt;
mod nats;
mod stream;
mod stream_item;
mod talk;
pub mod template;
mod usage;
mod workload;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

pub use talk::TalkKind;
pub use usage::RoundUsage;
pub use workload::RoundWorkload;

use drive::LoadDrive;

/// How long a round lasts.
#[derive(Debug, Clone, Copy, Args)]
pub struct RoundTimes {
    /// What goes before it and is not measured
    #[arg(long, default_value_t = 500)]
    pub warm_up_ms: u64,
    /// What is measured
    #[arg(long, default_value_t = 3000)]
    pub measure_ms: u64,
    /// A round lasts until it has so many round trips, but at most ten times as long
    #[arg(long, default_value_t = 20_000)]
    pub trips_min: usize,
}

/// One round.
#[derive(Debug, Args)]
pub struct LoadOptions {
    #[arg(long)]
    talk: TalkKind,
    /// Where clients connect
    #[arg(long)]
    clients: SocketAddr,
    /// Where bots connect
    #[arg(long)]
    bots: SocketAddr,
    /// A server process, whose CPU time counts; may be given several times
    #[arg(long = "server")]
    servers: Vec<u32>,
    #[arg(long)]
    workload: RoundWorkload,
    #[command(flatten)]
    times: RoundTimes,
}

/// Drives one round and prints a [`RoundUsage`] as JSON.
pub fn run(options: &LoadOptions) -> Result<()> {
    let mut ends = Vec::new();
    for pair in 0..options.workload.pairs() {
        let (client, bot) = (format!("a{pair:06}"), format!("b{pair:06}"));
        let talk = options.talk;
        let bot_end = talk.open(options.bots, &bot, &client, true);
        let bot_end = bot_end.with_context(|| format!("{bot} of {talk:?}"))?;
        ends.push(talk.open(options.clients, &client, &bot, false)?);
        ends.push(bot_end);
    }
    let has_acks = options.talk.has_acks();
    let mut drive = LoadDrive::new(ends, options.workload, has_acks)?;
    drive.greet()?;
    drive.start()?;
    drive.until_ms(options.times.warm_up_ms)?;
    let measure = Duration::from_millis(options.times.measure_ms);
    let mut round = drive.measure(&options.servers, measure, options.times.trips_min)?;
    round.messages_in_all = drive.drain()?;
    println!("{}", serde_json::to_string(&round)?);
    Ok(())
}
