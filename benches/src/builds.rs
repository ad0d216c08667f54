//! Compares two builds of the gateway precisely enough to see a gain of two per cent.
//!
//! Neighbouring rounds of `relay` differ by ten per cent for no fault of theirs. Here both builds
//! serve at once, on one core, each with its own load: what disturbs one disturbs the other. A build
//! against itself shows what is left of the noise.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::load::{RoundTimes, RoundUsage, RoundWorkload, TalkKind};
use crate::servers::RunningServers;
use crate::stats::summary;

/// What to compare with.
#[derive(Debug, Args)]
pub struct BuildsOptions {
    /// The other build of this program
    other: PathBuf,
    /// Gateways of each build: 1, or 2 over Redis
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    nodes: u8,
    /// Several with commas
    #[arg(long, value_delimiter = ',', default_value = "64x1,64x16")]
    workloads: Vec<RoundWorkload>,
    /// Rounds of each workload
    #[arg(long, default_value_t = 6)]
    rounds: usize,
    #[command(flatten)]
    times: RoundTimes,
}

/// Prints a table: CPU a message of both builds, and the ratio.
///
/// Errors: a build does not start, or a load found something wrong.
pub fn run(options: &BuildsOptions) -> Result<()> {
    let own = std::env::current_exe()?;
    println!("| workload | this build, CPU µs a message | the other | this / other |");
    println!("| --- | --- | --- | --- |");
    for workload in &options.workloads {
        let (mut these, mut others, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            let [this, other] = at_once([&own, &options.other], *workload, options)?;
            these.push(this.cpu_us);
            others.push(other.cpu_us);
            ratios.push(this.cpu_us / other.cpu_us);
        }
        let [these, others] = [these, others].map(|it| summary(&it, 2));
        println!(
            "| {workload} | {these} | {others} | {} |",
            summary(&ratios, 3)
        );
    }
    Ok(())
}

fn at_once(
    programs: [&Path; 2],
    workload: RoundWorkload,
    options: &BuildsOptions,
) -> Result<[RoundUsage; 2]> {
    let [first, second] = programs;
    let first = RunningServers::gateways(first, options.nodes)?;
    let second = RunningServers::gateways(second, options.nodes)?;
    let load = |servers: &RunningServers| -> Result<Child> {
        let mut load = servers.load(TalkKind::T2b, workload, &options.times)?;
        Ok(load.stdout(Stdio::piped()).spawn()?)
    };
    let (one, two) = (load(&first)?, load(&second)?);
    Ok([answer(one)?, answer(two)?])
}

fn answer(load: Child) -> Result<RoundUsage> {
    let output = load.wait_with_output()?;
    ensure!(output.status.success(), "a load failed");
    serde_json::from_slice(&output.stdout).context("the load's answer")
}
