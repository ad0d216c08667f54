//! The comparisons: two servers in turns, new processes and new connections each time.
//!
//! All server processes run on one core, the load on the other. What is quoted is the median of the
//! ratios of neighbours: the machine's mood changes by the minute, and both have the same one.

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::load::{Round, Talk, Times, Workload};
use crate::report::{Bound, Figure, Neighbours, Wanted, is_wide, table, verdict};
use crate::servers::{Kind, Servers, missing};

/// How to compare.
#[derive(Debug, Args)]
pub struct Options {
    /// Pairs of rounds of each workload
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    #[command(flatten)]
    times: Times,
    /// Neighbours are measured again if everybody else used more than this many cores meanwhile
    #[arg(long, default_value_t = 0.1)]
    foreign_max: f64,
    /// A workload whose decisive ratios lie further apart than 10 % is run so often in all
    #[arg(long, default_value_t = 1)]
    attempts: usize,
    /// Only what has this in its name, as in `one/64x16`, `two`, `nats`; several with commas
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Says what there is to run, and runs nothing
    #[arg(long)]
    list: bool,
}

/// One side of a comparison.
struct Side {
    name: &'static str,
    kind: Kind,
    talk: Talk,
}

const RAW: Side = side("raw relay", Kind::Raw, Talk::Raw);
const RAW_TWO: Side = side("two raw relays over Redis", Kind::RawRedis, Talk::Raw);
const GATEWAY: Side = side("gateway", Kind::Gateway, Talk::T2b);
const GATEWAY_TWO: Side = side("two gateways over Redis", Kind::GatewayRedis, Talk::T2b);
const ERRORS_ONLY: Side = side("acks: errors", Kind::Gateway, Talk::T2bIds);
const ALL_ACKS: Side = side("acks: all", Kind::Gateway, Talk::T2bAcks);
const NATS: Side = side("nats-server", Kind::Nats, Talk::Nats);
const NATS_TWO: Side = side("two nats-servers", Kind::NatsRoutes, Talk::Nats);
const MOSQUITTO: Side = side("mosquitto", Kind::Mosquitto, Talk::Mqtt);

const fn side(name: &'static str, kind: Kind, talk: Talk) -> Side {
    Side { name, kind, talk }
}

const UNLOADED: Workload = Workload::Closed {
    pairs: 1,
    window: 1,
};
const WINDOW_1: Workload = Workload::Closed {
    pairs: 64,
    window: 1,
};
const WINDOW_16: Workload = Workload::Closed {
    pairs: 64,
    window: 16,
};
const MANY: Workload = Workload::Open {
    pairs: 1000,
    trips_per_s: 15_000,
};

/// A workload and the figure that decides, with its aim.
type Run = (Workload, Wanted);

struct Comparison {
    name: &'static str,
    first: Side,
    second: Side,
    runs: &'static [Run],
}

/// What is compared, and what the gateway shall reach.
const COMPARISONS: &[Comparison] = &[
    Comparison {
        name: "one",
        first: RAW,
        second: GATEWAY,
        runs: &[
            (UNLOADED, (Figure::P50, Bound::Most(1.15))),
            (WINDOW_1, (Figure::Cpu, Bound::Most(1.25))),
            (WINDOW_16, (Figure::Rate, Bound::Least(0.50))),
            (MANY, (Figure::Cpu, Bound::Most(1.30))),
        ],
    },
    Comparison {
        name: "two",
        first: RAW_TWO,
        second: GATEWAY_TWO,
        runs: &[
            (UNLOADED, (Figure::P50, Bound::Most(1.15))),
            (WINDOW_1, (Figure::Cpu, Bound::Most(1.30))),
            (WINDOW_16, (Figure::Rate, Bound::Least(0.50))),
        ],
    },
    Comparison {
        name: "acks",
        first: ERRORS_ONLY,
        second: ALL_ACKS,
        runs: &[(WINDOW_16, (Figure::Rate, Bound::Least(0.65)))],
    },
    Comparison {
        name: "nats",
        first: NATS,
        second: GATEWAY,
        runs: &[
            (WINDOW_1, (Figure::Rate, Bound::Least(1.0))),
            (WINDOW_16, (Figure::Rate, Bound::Least(1.0))),
        ],
    },
    Comparison {
        name: "nats-two",
        first: NATS_TWO,
        second: GATEWAY_TWO,
        runs: &[
            (WINDOW_1, (Figure::Rate, Bound::Least(1.5))),
            (WINDOW_16, (Figure::Rate, Bound::Least(1.5))),
        ],
    },
    Comparison {
        name: "mosquitto",
        first: MOSQUITTO,
        second: GATEWAY,
        runs: &[
            (WINDOW_1, (Figure::Rate, Bound::Least(1.0))),
            (WINDOW_16, (Figure::Rate, Bound::Least(1.0))),
        ],
    },
];

/// Disturbed neighbours of one workload before it is given up.
const DISTURBED_MAX: usize = 50;

/// Runs the comparisons and prints one table for each workload, in Markdown.
pub fn run(options: &Options) -> Result<()> {
    let mut verdicts = Vec::new();
    for comparison in COMPARISONS {
        for (workload, wanted) in comparison.runs {
            let name = format!("{}/{workload}", comparison.name);
            let chosen =
                |only: &String| name.starts_with(only.as_str()) || *only == workload.to_string();
            if !options.only.is_empty() && !options.only.iter().any(chosen) {
                continue;
            }
            let (first, second) = (&comparison.first, &comparison.second);
            if options.list {
                println!("{name}: {} and {}", first.name, second.name);
                continue;
            }
            if let Some(program) = missing(first.kind).or(missing(second.kind)) {
                let said = format!("{name}: skipped, {program} is not installed");
                println!("\n### {said}\n");
                verdicts.push(said);
                continue;
            }
            for attempt in 1..=options.attempts {
                let (neighbours, disturbed) = compare(&name, comparison, *workload, options)?;
                println!("\n### {name}: {} and {}\n", first.name, second.name);
                print!("{}", table(first.name, second.name, &neighbours));
                let verdict = verdict(*wanted, &neighbours);
                println!("\n{verdict} {disturbed} disturbed neighbours were measured again.");
                verdicts.push(format!("{name}: {verdict}"));
                if !is_wide(wanted.0, &neighbours) || attempt == options.attempts {
                    break;
                }
            }
        }
    }
    println!("\n### Against the aims\n");
    for verdict in verdicts {
        println!("- {verdict}");
    }
    Ok(())
}

fn compare(
    name: &str,
    comparison: &Comparison,
    workload: Workload,
    options: &Options,
) -> Result<(Vec<Neighbours>, usize)> {
    let mut neighbours = Vec::new();
    let mut disturbed = 0;
    while neighbours.len() < options.rounds {
        let first = drive(&comparison.first, workload, options)?;
        let second = drive(&comparison.second, workload, options)?;
        for (side, round) in [(&comparison.first, &first), (&comparison.second, &second)] {
            eprintln!("{name}: {}: {}", side.name, serde_json::to_string(round)?);
        }
        if first.foreign_cores.max(second.foreign_cores) <= options.foreign_max {
            neighbours.push((first, second));
            continue;
        }
        disturbed += 1;
        if disturbed > DISTURBED_MAX {
            bail!("the machine is too busy; --foreign-max says how busy it may be");
        }
    }
    Ok((neighbours, disturbed))
}

fn drive(side: &Side, workload: Workload, options: &Options) -> Result<Round> {
    let servers = Servers::start(side.kind)?;
    let mut load = servers.load(side.talk, workload, &options.times)?;
    let output = load.stderr(Stdio::inherit()).output()?;
    ensure!(
        output.status.success(),
        "the load {workload} on {} failed",
        side.name
    );
    serde_json::from_slice(&output.stdout).context("the load's answer")
}
