//! The comparisons: two servers in turns, new processes and new connections each time.
//!
//! All server processes run on one core, the load on the other. What is quoted is the median of the
//! ratios of neighbours: the machine's mood changes by the minute, and both have the same one.

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::load::{RoundTimes, RoundUsage, RoundWorkload, TalkKind};
use crate::report::{
    NeighbourRounds, RatioBound, RoundFigure, WantedRatio, is_wide, table, verdict,
};
use crate::servers::{RunningServers, ServerKind, missing};

/// How to compare.
#[derive(Debug, Args)]
pub struct RelayOptions {
    /// Pairs of rounds of each workload
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    #[command(flatten)]
    times: RoundTimes,
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
struct ComparedSide {
    name: &'static str,
    kind: ServerKind,
    talk: TalkKind,
}

const RAW: ComparedSide = side("raw relay", ServerKind::Raw, TalkKind::Raw);
const RAW_TWO: ComparedSide = side(
    "two raw relays over Redis",
    ServerKind::RawRedis,
    TalkKind::Raw,
);
const GATEWAY: ComparedSide = side("gateway", ServerKind::Gateway, TalkKind::T2b);
const GATEWAY_TWO: ComparedSide = side(
    "two gateways over Redis",
    ServerKind::GatewayRedis,
    TalkKind::T2b,
);
const ERRORS_ONLY: ComparedSide = side("acks: errors", ServerKind::Gateway, TalkKind::T2bIds);
const ALL_ACKS: ComparedSide = side("acks: all", ServerKind::Gateway, TalkKind::T2bAcks);
const NATS: ComparedSide = side("nats-server", ServerKind::Nats, TalkKind::Nats);
const NATS_TWO: ComparedSide = side("two nats-servers", ServerKind::NatsRoutes, TalkKind::Nats);
const MOSQUITTO: ComparedSide = side("mosquitto", ServerKind::Mosquitto, TalkKind::Mqtt);

const fn side(name: &'static str, kind: ServerKind, talk: TalkKind) -> ComparedSide {
    ComparedSide { name, kind, talk }
}

const UNLOADED: RoundWorkload = RoundWorkload::Closed {
    pairs: 1,
    window: 1,
};
const WINDOW_1: RoundWorkload = RoundWorkload::Closed {
    pairs: 64,
    window: 1,
};
const WINDOW_16: RoundWorkload = RoundWorkload::Closed {
    pairs: 64,
    window: 16,
};
const MANY: RoundWorkload = RoundWorkload::Open {
    pairs: 1000,
    trips_per_s: 15_000,
};

/// A workload and the figure that decides, with its aim.
type WorkloadRun = (RoundWorkload, WantedRatio);

struct SideComparison {
    name: &'static str,
    first: ComparedSide,
    second: ComparedSide,
    runs: &'static [WorkloadRun],
}

/// What is compared, and what the gateway shall reach.
const COMPARISONS: &[SideComparison] = &[
    SideComparison {
        name: "one",
        first: RAW,
        second: GATEWAY,
        runs: &[
            (UNLOADED, (RoundFigure::P50, RatioBound::Most(1.15))),
            (WINDOW_1, (RoundFigure::Cpu, RatioBound::Most(1.25))),
            (WINDOW_16, (RoundFigure::Rate, RatioBound::Least(0.50))),
            (MANY, (RoundFigure::Cpu, RatioBound::Most(1.30))),
        ],
    },
    SideComparison {
        name: "two",
        first: RAW_TWO,
        second: GATEWAY_TWO,
        runs: &[
            (UNLOADED, (RoundFigure::P50, RatioBound::Most(1.15))),
            (WINDOW_1, (RoundFigure::Cpu, RatioBound::Most(1.30))),
            (WINDOW_16, (RoundFigure::Rate, RatioBound::Least(0.50))),
        ],
    },
    SideComparison {
        name: "acks",
        first: ERRORS_ONLY,
        second: ALL_ACKS,
        runs: &[(WINDOW_16, (RoundFigure::Rate, RatioBound::Least(0.65)))],
    },
    SideComparison {
        name: "nats",
        first: NATS,
        second: GATEWAY,
        runs: &[
            (WINDOW_1, (RoundFigure::Rate, RatioBound::Least(1.0))),
            (WINDOW_16, (RoundFigure::Rate, RatioBound::Least(1.0))),
        ],
    },
    SideComparison {
        name: "nats-two",
        first: NATS_TWO,
        second: GATEWAY_TWO,
        runs: &[
            (WINDOW_1, (RoundFigure::Rate, RatioBound::Least(1.5))),
            (WINDOW_16, (RoundFigure::Rate, RatioBound::Least(1.5))),
        ],
    },
    SideComparison {
        name: "mosquitto",
        first: MOSQUITTO,
        second: GATEWAY,
        runs: &[
            (WINDOW_1, (RoundFigure::Rate, RatioBound::Least(1.0))),
            (WINDOW_16, (RoundFigure::Rate, RatioBound::Least(1.0))),
        ],
    },
];

/// Disturbed neighbours of one workload before it is given up.
const DISTURBED_MAX: usize = 50;

/// Runs the comparisons and prints one table for each workload, in Markdown.
pub fn run(options: &RelayOptions) -> Result<()> {
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
    comparison: &SideComparison,
    workload: RoundWorkload,
    options: &RelayOptions,
) -> Result<(Vec<NeighbourRounds>, usize)> {
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

fn drive(
    side: &ComparedSide,
    workload: RoundWorkload,
    options: &RelayOptions,
) -> Result<RoundUsage> {
    let servers = RunningServers::start(side.kind)?;
    let mut load = servers.load(side.talk, workload, &options.times)?;
    let output = load.stderr(Stdio::inherit()).output()?;
    ensure!(
        output.status.success(),
        "the load {workload} on {} failed",
        side.name
    );
    serde_json::from_slice(&output.stdout).context("the load's answer")
}
