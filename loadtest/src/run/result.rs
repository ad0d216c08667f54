//! Puts together the report of a run.

use std::time::UNIX_EPOCH;

use super::observer::MeasuredRun;
use crate::engine::SharedRun;
use crate::judge::judge;
use crate::measure::{ThreadTally, WrongCounts};
use crate::report::{
    BreachCount, GeneratorLoad, LatencySummary, MessageCounts, RunEnvironment, RunReport,
    StormResult, TimelineRow, VERSION,
};
use crate::servers::{self, RunSample, ServerWatch};
use crate::target::TargetNode;

/// A thread that is busier than this cannot be trusted to send and to read in time.
const BUSY: f64 = 0.9;

pub(super) fn report(
    shared: &SharedRun,
    watch: &ServerWatch,
    measured: MeasuredRun,
    tallies: Vec<ThreadTally>,
    looks: &[RunSample],
    timeline: Vec<TimelineRow>,
) -> RunReport {
    let busy = tallies.iter().map(|tally| tally.busy).collect();
    let mut all = ThreadTally::default();
    tallies.into_iter().for_each(|tally| all.merge(tally));
    let (before, first, last) = (&looks[0], &measured.from, &measured.to);
    let mut report = RunReport {
        environment: environment(shared, last),
        storm: storm(shared, &all),
        generator: GeneratorLoad { busy },
        machine_busy: machine_busy(first, last),
        servers: servers::loads(watch, before, first, last, looks),
        redis: servers::redis_load(first, last),
        timeline,
        ..frame_of(shared, &measured)
    };
    put_tally(&mut report, all);
    put_costs(&mut report);
    report.warnings = warnings(&report);
    report.thresholds = judge(&shared.scenario.thresholds, &report);
    report
}

/// What was run, where and how long.
fn frame_of(shared: &SharedRun, measured: &MeasuredRun) -> RunReport {
    let (from, until) = shared.control.window();
    let started = measured.started.duration_since(UNIX_EPOCH);
    RunReport {
        version: VERSION,
        scenario: shared.scenario.clone(),
        started_unix_s: started.map_or(0, |it| it.as_secs()),
        gateways: shared.nodes.iter().map(|node| node.host.clone()).collect(),
        measured_s: until.saturating_sub(from) as f64 / 1e9,
        ended_early: measured.ended_early,
        sockets: measured.sockets as u64,
        setup_s: measured.setup.as_secs_f64(),
        ..RunReport::default()
    }
}

/// What all threads counted.
fn put_tally(report: &mut RunReport, all: ThreadTally) {
    report.counts = MessageCounts {
        lost: all.absent.lost,
        cut: all.absent.cut,
        visits: all.visit.len(),
        ..MessageCounts::default()
    };
    report.round_trip = LatencySummary::of(&all.round_trip);
    report.one_way = LatencySummary::of(&all.one_way);
    report.ack = LatencySummary::of(&all.ack);
    report.connect_setup = LatencySummary::of(&all.connect_setup);
    report.connect = LatencySummary::of(&all.connect);
    report.register = LatencySummary::of(&all.register);
    report.visit = LatencySummary::of(&all.visit);
    report.breaches = breaches(all.wrongs);
    report.errors = all.errors.into_map();
    report.expected = all.expected.into_map();
    report.closes = all.closes.into_map();
    report.connect_failures = all.connect_failures.into_map();
    report.unsent = all.unsent.into_map();
    report.put_messages(all.messages, all.partials, all.typing);
}

fn storm(shared: &SharedRun, all: &ThreadTally) -> Option<StormResult> {
    let storm = shared.scenario.storm.as_ref();
    storm.map(|it| StormResult {
        pairs: it.pairs as u64,
        not_back: all.not_back,
        all_back_s: (all.not_back == 0).then(|| all.back.max() as f64 / 1e9),
        back: LatencySummary::of(&all.back),
    })
}

/// Share of all cores of the machine that were busy.
fn machine_busy(first: &RunSample, last: &RunSample) -> Option<f64> {
    let (before, after) = first.machine_s.zip(last.machine_s)?;
    let seconds = servers::seconds_between(first, last);
    Some((after - before) / seconds / all_cores() as f64)
}

fn environment(shared: &SharedRun, last: &RunSample) -> RunEnvironment {
    let series = last.servers.iter().flat_map(|look| look.series.keys());
    let versions = series.filter_map(|name| {
        let rest = name.strip_prefix("t2b_build_info{")?;
        let (_, version) = rest.split_once("version=\"")?;
        Some(version.split('"').next()?.to_owned())
    });
    let shares_machine = shared.nodes.iter().any(TargetNode::is_local);
    RunEnvironment::here(versions.collect(), shares_machine)
}

/// Cores of the machine, those that this program may not use among them.
fn all_cores() -> usize {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let cores = text.lines().filter(|line| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    cores.count().max(1)
}

fn breaches(wrongs: WrongCounts) -> Vec<BreachCount> {
    let found = wrongs.into_map().into_iter();
    let breach = found.map(|(wrong, (count, examples))| BreachCount {
        kind: wrong.name().to_owned(),
        count,
        examples,
    });
    breach.collect()
}

/// What a delivery and a socket cost, if all servers were watched.
fn put_costs(report: &mut RunReport) {
    if report.servers.is_empty() {
        return;
    }
    let cpu: Option<f64> = report.servers.iter().map(|it| it.cpu_s).sum();
    let deliveries = report.rate_per_s * report.measured_s;
    report.cpu_us_per_message = cpu
        .filter(|_| deliveries > 0.0)
        .map(|it| it * 1e6 / deliveries);
    let gained: Option<f64> = report
        .servers
        .iter()
        .map(|it| Some(it.rss_max? as f64 - it.rss_before? as f64))
        .sum();
    let sockets = report.timeline.iter().map(|row| row.connected).max();
    let sockets = sockets.unwrap_or(0).max(report.sockets);
    report.rss_per_socket = gained
        .filter(|_| sockets > 0)
        .map(|it| it.max(0.0) / sockets as f64);
}

fn warnings(report: &RunReport) -> Vec<String> {
    let mut found = Vec::new();
    let busiest = report.generator.busy.iter().copied().fold(0.0, f64::max);
    if busiest > BUSY {
        found.push(
            "the load generator was the bottleneck: figures are a lower bound; \
             take more --threads, or another machine"
                .to_owned(),
        );
    }
    if report.machine_busy.is_some_and(|it| it > 0.95) && report.environment.shares_machine {
        found.push(
            "no core was idle: the load generator and the gateway took each other's time"
                .to_owned(),
        );
    }
    if report.errors.contains_key("rate_limited") {
        found.push(
            "the gateway's rates were reached: raise its [limits], or take more pairs or tenants"
                .to_owned(),
        );
    }
    if report.unsent_total() > 0 {
        found.push("not everything that was due could be sent: latency leaves that out".to_owned());
    }
    if report.measured_s < 1.0 {
        found.push("measured for less than a second".to_owned());
    }
    found
}
