//! The comparison: raw relay and gateway in turns, a new process and new connections each time.
//!
//! Both run on one core, the load on the other. What is quoted is the median of the ratios of
//! neighbours: the machine's mood changes by the minute, and both have the same one.

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::load::Round;
use crate::process::{LOAD_CORE, Server, pinned};
use crate::product;
use crate::stats::summary;

/// How to compare.
#[derive(Debug, Args)]
pub struct Options {
    /// Pairs of rounds of each workload
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    #[arg(long, default_value_t = 500)]
    warm_up_ms: u64,
    #[arg(long, default_value_t = 3000)]
    measure_ms: u64,
    /// Neighbours are measured again if everybody else used more than this many cores meanwhile
    #[arg(long, default_value_t = 0.1)]
    foreign_max: f64,
    /// Only this workload, as in `64x16`
    #[arg(long)]
    workload: Option<String>,
}

/// Pairs of client and bot, and messages under way in each.
const WORKLOADS: &[(usize, usize)] = &[(1, 1), (64, 1), (64, 16)];

/// Disturbed neighbours of one workload before it is given up.
const DISTURBED_MAX: usize = 50;

/// Runs the workloads and prints one table each, in Markdown.
pub fn run(options: &Options) -> Result<()> {
    for &(pairs, window) in WORKLOADS {
        let name = format!("{pairs}x{window}");
        if options.workload.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let mut neighbours = Vec::new();
        let mut disturbed = 0;
        while neighbours.len() < options.rounds {
            let raw = drive("raw", pairs, window, options)?;
            let gateway = drive("gateway", pairs, window, options)?;
            eprintln!("{name}: raw {raw:?}\n{name}: gateway {gateway:?}");
            if raw.foreign_cores.max(gateway.foreign_cores) <= options.foreign_max {
                neighbours.push((raw, gateway));
                continue;
            }
            disturbed += 1;
            if disturbed > DISTURBED_MAX {
                bail!("the machine is too busy; --foreign-max says how busy it may be");
            }
        }
        println!("\n### {pairs} pairs, window {window}\n");
        print(&neighbours);
        println!("\n{disturbed} disturbed neighbours were measured again.");
    }
    Ok(())
}

fn drive(kind: &str, pairs: usize, window: usize, options: &Options) -> Result<Round> {
    let folder = tempfile::tempdir()?;
    let server = match kind {
        "raw" => Server::raw()?,
        _ => Server::gateway(&product::configure(&folder)?)?,
    };
    let load = pinned(LOAD_CORE, &["load", "--kind", kind])?
        .args(["--address", &server.address.to_string()])
        .args(["--server", &server.id().to_string()])
        .args(["--pairs", &pairs.to_string()])
        .args(["--window", &window.to_string()])
        .args(["--warm-up-ms", &options.warm_up_ms.to_string()])
        .args(["--measure-ms", &options.measure_ms.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(load.status.success(), "the load on {kind} failed");
    serde_json::from_slice(&load.stdout).context("the load's answer")
}

type Figure = (&'static str, usize, fn(&Round) -> f64);

const FIGURES: &[Figure] = &[
    ("messages/s", 0, |round| round.messages_per_s),
    ("server CPU µs a message", 2, |round| round.cpu_us),
    ("round trip p50 µs", 0, |round| round.p50_us),
    ("round trip p99 µs", 0, |round| round.p99_us),
    ("server cores", 2, |round| round.server_cores),
    ("load cores", 2, |round| round.load_cores),
    ("foreign cores", 2, |round| round.foreign_cores),
];

fn print(neighbours: &[(Round, Round)]) {
    println!("| figure, median (min..max) | raw relay | gateway | gateway / raw |");
    println!("| --- | --- | --- | --- |");
    for (name, digits, figure) in FIGURES {
        let of = |pick: fn(&(Round, Round)) -> &Round| -> Vec<f64> {
            neighbours.iter().map(|pair| figure(pick(pair))).collect()
        };
        let ratios: Vec<f64> = neighbours
            .iter()
            .map(|(raw, gateway)| figure(gateway) / figure(raw))
            .collect();
        let (raw, gateway) = (of(|pair| &pair.0), of(|pair| &pair.1));
        let ratio = match name.ends_with("cores") {
            true => "–".to_owned(),
            false => summary(&ratios, 2),
        };
        println!(
            "| {name} | {} | {} | {ratio} |",
            summary(&raw, *digits),
            summary(&gateway, *digits)
        );
    }
}
