//! One run, from its start to its report.
//!
//! `shares.rs`: which rate each thread has; `observer.rs`: what is seen from outside the threads;
//! `result.rs`: all of it as a report.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::credentials::KeySource;
use crate::engine::{LoadWorker, RunControl, SharedRun};
use crate::measure::{SecondTally, ThreadTally};
use crate::message::PaddingTable;
use crate::plan::{self, GroupPlan};
use crate::report::RunReport;
use crate::scenario::LoadScenario;
use crate::servers::ServerWatch;
use crate::target::{self, TargetNode};

mod observer;
mod progress;
mod result;
mod shares;

pub use crate::engine::RunPhase;
pub use progress::{InterruptCount, ProgressSink};

use observer::RunObserver;

/// Files beside sockets: what a poll, a look at a server and a report need.
const FILES_RESERVED: usize = 256;

/// What a run needs beside its scenario.
#[derive(Debug)]
pub struct RunSetting {
    /// The gateways.
    pub nodes: Vec<TargetNode>,
    /// Where keys come from.
    pub credentials: KeySource,
    /// What is watched meanwhile.
    pub watch: ServerWatch,
    /// How tenants are called that are made up, before their number.
    pub tenant_prefix: String,
}

/// Runs a scenario.
///
/// Errors: it cannot begin (nothing listens, credentials are refused, not enough files), or it was
/// ended before it began. What goes wrong later is in the report.
pub fn run(
    scenario: &LoadScenario,
    setting: RunSetting,
    interrupts: &InterruptCount,
    progress: &mut dyn ProgressSink,
) -> Result<RunReport> {
    let sockets = scenario.sockets();
    allow_files(sockets)?;
    reach(&setting.nodes)?;
    setting.credentials.key(&setting.tenant_prefix, 0)?;
    setting.watch.check()?;
    let nodes = setting.nodes;
    let shared = Arc::new(SharedRun {
        control: RunControl::new(scenario.warm_up.get()),
        scenario: scenario.clone(),
        sources: target::sources(&scenario.source_addresses, &nodes, sockets),
        nodes,
        credentials: setting.credentials,
        tenant_prefix: setting.tenant_prefix,
        padding: PaddingTable::new(scenario.longest_message()),
    });
    let watch = setting.watch;
    let mut observer = RunObserver::new(&shared, &watch, interrupts);
    let (sender, receiver) = mpsc::channel();
    let threads = start(&shared, &sender)?;
    drop(sender);
    let measured = observer.measure(&receiver, progress);
    if measured.is_err() {
        shared.control.stop(Duration::ZERO);
    }
    let mut tallies = Vec::new();
    for thread in threads {
        let joined = thread.join();
        tallies.push(
            joined
                .ok()
                .context("a thread of the load generator panicked")??,
        );
    }
    let measured = measured?;
    observer.finish(&receiver);
    let (looks, rows) = (observer.looks, observer.rows);
    Ok(result::report(
        &shared, &watch, measured, tallies, &looks, rows,
    ))
}

/// Raises the limit of open files as far as it is needed.
fn allow_files(sockets: usize) -> Result<()> {
    let needed = (sockets + FILES_RESERVED) as u64;
    let allowed = rlimit::increase_nofile_limit(needed)?;
    ensure!(
        allowed >= needed,
        "{sockets} sockets need {needed} open files, and {allowed} are allowed: \
         raise the hard limit (ulimit -Hn), or take fewer sockets"
    );
    Ok(())
}

fn reach(nodes: &[TargetNode]) -> Result<()> {
    for node in nodes {
        std::net::TcpStream::connect_timeout(&node.address, Duration::from_secs(5))
            .with_context(|| format!("ws://{}{}: not reachable", node.host, node.path))?;
    }
    Ok(())
}

/// Starts the threads, each with a part of the groups.
fn start(
    shared: &Arc<SharedRun>,
    seconds: &mpsc::Sender<SecondTally>,
) -> Result<Vec<JoinHandle<Result<ThreadTally>>>> {
    let threads = shared.scenario.threads;
    let mut parts: Vec<Vec<GroupPlan>> = (0..threads).map(|_| Vec::new()).collect();
    for group in plan::plan(&shared.scenario, shared.nodes.len()) {
        parts[group.index % threads].push(group);
    }
    let shares = shares::shares(&shared.scenario, &parts);
    let mut first_flow = 0;
    let mut started = Vec::new();
    for (place, (part, shares)) in parts.into_iter().zip(shares).enumerate() {
        let flows: usize = part.iter().map(|group| group.flows.len()).sum();
        let worker = LoadWorker::new(shared.clone(), part, &shares, first_flow, seconds.clone())?;
        first_flow += flows as u32;
        let shared = shared.clone();
        let body = move || {
            let tally = worker.run();
            if let Err(error) = &tally {
                shared.control.fail(format!("{error:#}"));
            }
            tally
        };
        started.push(
            thread::Builder::new()
                .name(format!("load-{place}"))
                .spawn(body)?,
        );
    }
    Ok(started)
}
