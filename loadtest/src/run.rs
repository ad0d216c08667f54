//! One run, from its start to its report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use crate::credentials::Credentials;
use crate::engine::{Control, Phase, Share, Shared, Worker};
use crate::measure::{Second, Tally};
use crate::message::Padding;
use crate::plan::{self, GroupPlan, Load, Pace, Stay};
use crate::report::{
    Breach, Environment, Generator, Latency, MessageCounts, Report, Row, StormResult, VERSION,
};
use crate::scenario::Scenario;
use crate::servers::{self, Looks, Watch};
use crate::target::{self, Node};

/// Files beside sockets: what a poll, a look at a server and a report need.
const FILES_RESERVED: usize = 256;
/// How often the one who waits looks up.
const TICK: Duration = Duration::from_millis(50);
/// A thread that is busier than this cannot be trusted to send and to read in time.
const BUSY: f64 = 0.9;

/// What a run needs beside its scenario.
#[derive(Debug)]
pub struct Setting {
    /// The gateways.
    pub nodes: Vec<Node>,
    /// Where keys come from.
    pub credentials: Credentials,
    /// What is watched meanwhile.
    pub watch: Watch,
    /// How tenants are called that are made up, before their number.
    pub tenant_prefix: String,
}

/// Who is told how a run goes.
pub trait Progress {
    /// Sockets are being opened.
    fn connecting(&mut self, ready: usize, sockets: usize);
    /// A second is over: how many seconds of how many, and what happened.
    fn second(&mut self, phase: Phase, of_s: f64, row: &Row);
}

/// Counts how often somebody wants the run to end.
pub type Interrupts = AtomicUsize;

/// Runs a scenario.
///
/// Errors: it cannot begin (nothing listens, credentials are refused, not enough files), or it was
/// ended before it began. What goes wrong later is in the report.
pub fn run(
    scenario: &Scenario,
    setting: Setting,
    interrupts: &Interrupts,
    progress: &mut dyn Progress,
) -> Result<Report> {
    let sockets = scenario.sockets();
    allow_files(sockets)?;
    reach(&setting.nodes)?;
    setting.credentials.key(&setting.tenant_prefix, 0)?;
    setting.watch.check()?;
    let nodes = setting.nodes;
    let shared = Arc::new(Shared {
        control: Control::new(scenario.warm_up.get()),
        scenario: scenario.clone(),
        sources: target::sources(&scenario.source_addresses, &nodes, sockets),
        nodes,
        credentials: setting.credentials,
        tenant_prefix: setting.tenant_prefix,
        padding: Padding::new(scenario.longest_message()),
    });
    let watch = setting.watch;
    let mut observer = Observer {
        shared: &shared,
        watch: &watch,
        interrupts,
        seconds: BTreeMap::new(),
        looks: vec![watch.look(0)],
        rows: Vec::new(),
    };
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
    Ok(report(&shared, &watch, measured, tallies, &looks, rows))
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

fn reach(nodes: &[Node]) -> Result<()> {
    for node in nodes {
        std::net::TcpStream::connect_timeout(&node.address, Duration::from_secs(5))
            .with_context(|| format!("ws://{}{}: not reachable", node.host, node.path))?;
    }
    Ok(())
}

/// Starts the threads, each with a part of the groups.
fn start(
    shared: &Arc<Shared>,
    seconds: &mpsc::Sender<Second>,
) -> Result<Vec<JoinHandle<Result<Tally>>>> {
    let threads = shared.scenario.threads;
    let mut parts: Vec<Vec<GroupPlan>> = (0..threads).map(|_| Vec::new()).collect();
    for group in plan::plan(&shared.scenario, shared.nodes.len()) {
        parts[group.index % threads].push(group);
    }
    let shares = shares(&shared.scenario, &parts);
    let mut first_flow = 0;
    let mut started = Vec::new();
    for (place, (part, shares)) in parts.into_iter().zip(shares).enumerate() {
        let flows: usize = part.iter().map(|group| group.flows.len()).sum();
        let worker = Worker::new(shared.clone(), part, &shares, first_flow, seconds.clone())?;
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

/// The rates of each thread: of every load the part that its flows have.
fn shares(scenario: &Scenario, parts: &[Vec<GroupPlan>]) -> Vec<Vec<Share>> {
    let rates = [
        (Load::Open, scenario.open.as_ref().map(|it| it.rate)),
        (Load::Fanout, scenario.fanout.as_ref().map(|it| it.rate)),
        (Load::Slow, scenario.slow.as_ref().map(|it| it.rate)),
        (
            Load::Stalled,
            scenario.slow.as_ref().map(|it| it.stalled_rate),
        ),
        (Load::Partials, scenario.partials.as_ref().map(|it| it.rate)),
        (Load::Typing, scenario.typing.as_ref().map(|it| it.rate)),
        (Load::Churn, scenario.churn.as_ref().map(|it| it.rate)),
    ];
    let weight = |part: &[GroupPlan], load: Load| -> usize {
        let of_group = |group: &GroupPlan| match load {
            Load::Churn => usize::from(group.stay == Stay::Visit),
            Load::Open
            | Load::Fanout
            | Load::Slow
            | Load::Stalled
            | Load::Partials
            | Load::Typing => {
                let flows = group.flows.iter();
                flows
                    .filter(|flow| flow.pace == Pace::Scheduled(load))
                    .count()
            }
        };
        part.iter().map(of_group).sum()
    };
    let of_part = |(place, part): (usize, &Vec<GroupPlan>)| {
        let shares = rates.iter().filter_map(|(load, rate)| {
            let own = weight(part, *load);
            let all: usize = parts.iter().map(|part| weight(part, *load)).sum();
            let share = (*rate)? * own as f64 / all.max(1) as f64;
            (own > 0).then_some(Share {
                load: *load,
                rate: share,
                offset: place as f64 / parts.len() as f64,
            })
        });
        shares.collect()
    };
    parts.iter().enumerate().map(of_part).collect()
}

/// What is known of a run when its measurement is over.
struct Measured {
    sockets: usize,
    setup: Duration,
    started: SystemTime,
    from: Looks,
    to: Looks,
    ended_early: bool,
}

/// Watches a run from outside its threads.
struct Observer<'a> {
    shared: &'a Arc<Shared>,
    watch: &'a Watch,
    interrupts: &'a Interrupts,
    /// Seconds that not all threads have told of, with how many have.
    seconds: BTreeMap<u64, (usize, Second)>,
    looks: Vec<Looks>,
    rows: Vec<Row>,
}

impl Observer<'_> {
    fn measure(
        &mut self,
        receiver: &Receiver<Second>,
        progress: &mut dyn Progress,
    ) -> Result<Measured> {
        let started = SystemTime::now();
        let setup = self.set_up(progress)?;
        let shared = self.shared;
        let (control, scenario) = (&shared.control, &shared.scenario);
        let sockets = control.ready();
        control.go(scenario.duration.get(), scenario.drain.get());
        let (mut from, mut next_look) = (None, control.began());
        let mut stopped = false;
        let to = loop {
            let now = control.now();
            let (start, end) = control.window();
            if let Some(why) = control.failure() {
                bail!(why);
            }
            if self.interrupts.load(Ordering::Relaxed) > 0 && !stopped {
                stopped = true;
                control.stop(scenario.drain.get());
                continue;
            }
            if from.is_none() && now >= start {
                from = Some(self.look());
            }
            if now >= end {
                break self.look();
            }
            if now >= next_look {
                self.look();
                next_look += 1_000_000_000;
            }
            let times = [end, next_look, if from.is_none() { start } else { end }];
            let wake = times.into_iter().min().unwrap_or(end);
            let wait = Duration::from_nanos(wake.saturating_sub(now)).min(TICK);
            self.receive(receiver, wait, progress);
        };
        Ok(Measured {
            sockets,
            setup,
            started,
            from: from.unwrap_or_else(|| to.clone()),
            to,
            ended_early: stopped,
        })
    }

    /// Waits until all sockets are ready that are to be from the start.
    fn set_up(&self, progress: &mut dyn Progress) -> Result<Duration> {
        let shared = self.shared;
        let visits = shared
            .scenario
            .churn
            .as_ref()
            .map_or(0, |it| 2 * it.at_once);
        let wanted = shared.scenario.sockets() - visits;
        let start = Instant::now();
        loop {
            let ready = shared.control.ready();
            progress.connecting(ready, wanted);
            if let Some(why) = shared.control.failure() {
                bail!(why);
            }
            if ready >= wanted {
                return Ok(start.elapsed());
            }
            let interrupted = self.interrupts.load(Ordering::Relaxed) > 0;
            ensure!(!interrupted, "ended before all sockets were open");
            let trouble = shared.control.trouble();
            ensure!(
                start.elapsed() < shared.scenario.setup.get(),
                "{ready} of {wanted} sockets were ready after {}; the last failure: {}",
                shared.scenario.setup,
                trouble.as_deref().unwrap_or("none")
            );
            thread::park_timeout(TICK / 10);
        }
    }

    fn look(&mut self) -> Looks {
        let looks = self.watch.look(self.shared.control.now());
        self.looks.push(looks.clone());
        looks
    }

    fn receive(
        &mut self,
        receiver: &Receiver<Second>,
        wait: Duration,
        progress: &mut dyn Progress,
    ) {
        match receiver.recv_timeout(wait) {
            Ok(second) => {
                if let Some(row) = self.take(second) {
                    let control = &self.shared.control;
                    let scenario = &self.shared.scenario;
                    let of_s = scenario.warm_up.as_secs_f64() + scenario.duration.as_secs_f64();
                    let middle = control.began() + row.second * 1_000_000_000 + 500_000_000;
                    progress.second(control.phase(middle), of_s, &row);
                    self.rows.push(row);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // All threads have ended; why, is found out when they are joined.
            Err(RecvTimeoutError::Disconnected) => thread::park_timeout(wait),
        }
    }

    /// Takes what is left when all threads have ended.
    fn finish(&mut self, receiver: &Receiver<Second>) {
        while let Ok(second) = receiver.try_recv() {
            if let Some(row) = self.take(second) {
                self.rows.push(row);
            }
        }
        // Of the drain there may be seconds that only some threads were there for.
        let rest = std::mem::take(&mut self.seconds);
        for (_, second) in rest.into_values() {
            let row = self.row(&second);
            self.rows.push(row);
        }
        self.rows.sort_by_key(|row| row.second);
    }

    fn take(&mut self, second: Second) -> Option<Row> {
        let index = second.index;
        let slot = self.seconds.entry(index);
        let (told, sum) = slot.or_insert_with(|| (0, Second::new(index)));
        sum.merge(&second);
        *told += 1;
        if *told < self.shared.scenario.threads {
            return None;
        }
        let (_, sum) = self.seconds.remove(&index)?;
        Some(self.row(&sum))
    }

    fn row(&self, second: &Second) -> Row {
        let control = &self.shared.control;
        let end = control
            .began()
            .saturating_add((second.index + 1) * 1_000_000_000);
        let (cores, rss) = self.servers_at(end);
        let ms = |quantile: f64| second.latency.value_at_quantile(quantile) as f64 / 1e6;
        let some = !second.latency.is_empty();
        Row {
            second: second.index,
            delivered: second.delivered,
            errors: second.errors,
            connected: second.connected,
            p50_ms: some.then(|| ms(0.5)),
            p99_ms: some.then(|| ms(0.99)),
            generator_cores: second.cpu_ns as f64 / 1e9,
            server_cores: cores,
            server_rss: rss,
        }
    }

    /// Cores and memory of each server in the second that ended at a time: between the last two
    /// looks before it.
    fn servers_at(&self, end: u64) -> (Vec<Option<f64>>, Vec<Option<u64>>) {
        let slack = 200_000_000;
        let known = self.looks.iter().rposition(|it| it.at <= end + slack);
        let Some(last) = known.map(|place| &self.looks[place]) else {
            return Default::default();
        };
        let before = self.looks.iter().rfind(|it| it.at + 500_000_000 <= last.at);
        let servers = last.servers.iter();
        let cores = servers.clone().enumerate().map(|(place, look)| {
            let before = before?;
            let spent = look.cpu_s? - before.servers[place].cpu_s?;
            Some(spent / servers::seconds_between(before, last))
        });
        (cores.collect(), servers.map(|look| look.rss).collect())
    }
}

fn report(
    shared: &Shared,
    watch: &Watch,
    measured: Measured,
    tallies: Vec<Tally>,
    looks: &[Looks],
    timeline: Vec<Row>,
) -> Report {
    let busy: Vec<f64> = tallies.iter().map(|tally| tally.busy).collect();
    let mut all = Tally::default();
    tallies.into_iter().for_each(|tally| all.merge(tally));
    let (from, until) = shared.control.window();
    let (before, first, last) = (&looks[0], &measured.from, &measured.to);
    let machine = first.machine_s.zip(last.machine_s);
    let environment = environment(shared, last);
    let machine_busy = machine.map(|(a, b)| {
        let seconds = servers::seconds_between(first, last);
        (b - a) / seconds / all_cores() as f64
    });
    let storm = shared.scenario.storm.as_ref().map(|it| StormResult {
        pairs: it.pairs as u64,
        not_back: all.not_back,
        all_back_s: (all.not_back == 0).then(|| all.back.max() as f64 / 1e9),
        back: Latency::of(&all.back),
    });
    let mut report = Report {
        version: VERSION,
        scenario: shared.scenario.clone(),
        environment,
        started_unix_s: measured
            .started
            .duration_since(UNIX_EPOCH)
            .map_or(0, |it| it.as_secs()),
        gateways: shared.nodes.iter().map(|node| node.host.clone()).collect(),
        measured_s: until.saturating_sub(from) as f64 / 1e9,
        ended_early: measured.ended_early,
        sockets: measured.sockets as u64,
        setup_s: measured.setup.as_secs_f64(),
        rate_per_s: 0.0,
        counts: MessageCounts {
            lost: all.absent.lost,
            cut: all.absent.cut,
            visits: all.visit.len(),
            ..MessageCounts::default()
        },
        round_trip: Latency::of(&all.round_trip),
        one_way: Latency::of(&all.one_way),
        ack: Latency::of(&all.ack),
        connect_setup: Latency::of(&all.connect_setup),
        connect: Latency::of(&all.connect),
        register: Latency::of(&all.register),
        visit: Latency::of(&all.visit),
        storm,
        breaches: breaches(all.wrongs),
        errors: all.errors.into_map(),
        expected: all.expected.into_map(),
        closes: all.closes.into_map(),
        connect_failures: all.connect_failures.into_map(),
        unsent: all.unsent.into_map(),
        generator: Generator { busy },
        machine_busy,
        servers: servers::loads(watch, before, first, last, looks),
        redis: servers::redis_load(first, last),
        cpu_us_per_message: None,
        rss_per_socket: None,
        warnings: Vec::new(),
        thresholds: Vec::new(),
        timeline,
    };
    report.put_messages(all.messages, all.partials, all.typing);
    put_costs(&mut report);
    report.warnings = warnings(&report);
    report.thresholds = shared.scenario.thresholds.judge(&report);
    report
}

fn environment(shared: &Shared, last: &Looks) -> Environment {
    let series = last.servers.iter().flat_map(|look| look.series.keys());
    let versions = series.filter_map(|name| {
        let rest = name.strip_prefix("t2b_build_info{")?;
        let (_, version) = rest.split_once("version=\"")?;
        Some(version.split('"').next()?.to_owned())
    });
    let shares_machine = shared.nodes.iter().any(Node::is_local);
    Environment::here(versions.collect(), shares_machine)
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

fn breaches(wrongs: crate::measure::Wrongs) -> Vec<Breach> {
    let found = wrongs.into_map().into_iter();
    let breach = found.map(|(wrong, (count, examples))| Breach {
        kind: wrong.name().to_owned(),
        count,
        examples,
    });
    breach.collect()
}

/// What a delivery and a socket cost, if all servers were watched.
fn put_costs(report: &mut Report) {
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

fn warnings(report: &Report) -> Vec<String> {
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
