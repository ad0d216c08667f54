//! Instructions of a whole gateway for a message: reading, locks, queues, tasks and writing too, but
//! no kernel.
//!
//! The gateway runs under callgrind, the load beside it; twice, for a short time and for a longer
//! one, and the difference is divided by the messages between. How many frames share a read or a
//! write differs from run to run, and so do the counts, by a few percent: they are not compared.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::collected::parse_collected;
use crate::load::{RoundUsage, RoundWorkload, TalkKind};
use crate::process::{LOAD_CORE, SERVER_CORE, ServerProcess, pinned, pinned_self};
use crate::servers::{gateway, redis};

/// Of the short run and of the longer one, ms.
const TIMES_MS: [u64; 2] = [500, 4000];

/// What a message takes in the gateways between client and bot, one or two.
pub fn count(workload: RoundWorkload, nodes: usize, keep: Option<&Path>) -> Result<u64> {
    let (few, few_messages) = collected(workload, nodes, TIMES_MS[0], None)?;
    let (many, many_messages) = collected(workload, nodes, TIMES_MS[1], keep)?;
    ensure!(
        many_messages > few_messages,
        "no more messages in more time"
    );
    Ok(many.saturating_sub(few) / (many_messages - few_messages))
}

/// All instructions of the gateways, and all messages.
fn collected(
    workload: RoundWorkload,
    nodes: usize,
    time_ms: u64,
    keep: Option<&Path>,
) -> Result<(u64, u64)> {
    let folder = tempfile::tempdir()?;
    let store = match nodes {
        1 => None,
        _ => Some(redis::start(&folder)?),
    };
    let address = store.as_ref().map(|(_, address)| *address);
    let gateways: Vec<(ServerProcess, SocketAddr)> = (0..nodes)
        .map(|node| start(&folder, &format!("node-{node}"), address, keep))
        .collect::<Result<_>>()?;
    let (clients, bots) = (gateways[0].1, gateways[nodes - 1].1);
    let output = pinned_self(LOAD_CORE)?
        .args(["load", "--talk", &TalkKind::T2b.argument()])
        .args(["--clients", &clients.to_string()])
        .args(["--bots", &bots.to_string()])
        .args(["--workload", &workload.to_string()])
        .args(["--warm-up-ms", "0", "--trips-min", "0"])
        .args(["--measure-ms", &time_ms.to_string()])
        .args(["--server", &std::process::id().to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the load {workload} failed");
    let round: RoundUsage = serde_json::from_slice(&output.stdout).context("the load's answer")?;
    let mut instructions = 0;
    for (node, (process, _)) in gateways.into_iter().enumerate() {
        process.terminate()?;
        let said = fs::read_to_string(log(&folder, &format!("node-{node}")))?;
        instructions += parse_collected(&said).with_context(|| format!("no count in {said}"))?;
    }
    Ok((instructions, round.messages_in_all))
}

fn log(folder: &TempDir, name: &str) -> std::path::PathBuf {
    folder.path().join(format!("{name}.log"))
}

fn start(
    folder: &TempDir,
    name: &str,
    redis: Option<SocketAddr>,
    keep: Option<&Path>,
) -> Result<(ServerProcess, SocketAddr)> {
    let out = keep.map(|folder| folder.join(format!("callgrind.out.{name}")));
    let out = out.unwrap_or_else(|| "/dev/null".into());
    let mut command: Command = pinned(SERVER_CORE, "valgrind");
    command
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .arg("serve-gateway")
        .arg(gateway::configure(folder, name, redis)?)
        .stderr(File::create(log(folder, name))?);
    ServerProcess::announced(command)
}
