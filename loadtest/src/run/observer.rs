//! Watches a run from outside its threads: each second, the servers, and the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail, ensure};

use super::progress::{InterruptCount, ProgressSink};
use crate::engine::SharedRun;
use crate::measure::SecondTally;
use crate::report::TimelineRow;
use crate::servers::{self, RunSample, ServerWatch};

/// How often the one who waits looks up.
const TICK: Duration = Duration::from_millis(50);

/// What is known of a run when its measurement is over.
pub(super) struct MeasuredRun {
    pub sockets: usize,
    pub setup: Duration,
    pub started: SystemTime,
    pub from: RunSample,
    pub to: RunSample,
    pub ended_early: bool,
}

/// Watches a run from outside its threads.
pub(super) struct RunObserver<'a> {
    shared: &'a Arc<SharedRun>,
    watch: &'a ServerWatch,
    interrupts: &'a InterruptCount,
    /// Seconds that not all threads have told of, with how many have.
    seconds: BTreeMap<u64, (usize, SecondTally)>,
    pub looks: Vec<RunSample>,
    pub rows: Vec<TimelineRow>,
}

impl<'a> RunObserver<'a> {
    /// Takes the first look, before a socket is open.
    pub fn new(
        shared: &'a Arc<SharedRun>,
        watch: &'a ServerWatch,
        interrupts: &'a InterruptCount,
    ) -> Self {
        Self {
            shared,
            watch,
            interrupts,
            seconds: BTreeMap::new(),
            looks: vec![watch.look(0)],
            rows: Vec::new(),
        }
    }

    /// Sees a run through to the end of its measurement.
    pub fn measure(
        &mut self,
        receiver: &Receiver<SecondTally>,
        progress: &mut dyn ProgressSink,
    ) -> Result<MeasuredRun> {
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
        Ok(MeasuredRun {
            sockets,
            setup,
            started,
            from: from.unwrap_or_else(|| to.clone()),
            to,
            ended_early: stopped,
        })
    }

    /// Waits until all sockets are ready that are to be from the start.
    fn set_up(&self, progress: &mut dyn ProgressSink) -> Result<Duration> {
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

    fn look(&mut self) -> RunSample {
        let looks = self.watch.look(self.shared.control.now());
        self.looks.push(looks.clone());
        looks
    }

    fn receive(
        &mut self,
        receiver: &Receiver<SecondTally>,
        wait: Duration,
        progress: &mut dyn ProgressSink,
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
    pub fn finish(&mut self, receiver: &Receiver<SecondTally>) {
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

    fn take(&mut self, second: SecondTally) -> Option<TimelineRow> {
        let index = second.index;
        let slot = self.seconds.entry(index);
        let (told, sum) = slot.or_insert_with(|| (0, SecondTally::new(index)));
        sum.merge(&second);
        *told += 1;
        if *told < self.shared.scenario.threads {
            return None;
        }
        let (_, sum) = self.seconds.remove(&index)?;
        Some(self.row(&sum))
    }

    fn row(&self, second: &SecondTally) -> TimelineRow {
        let control = &self.shared.control;
        let end = control
            .began()
            .saturating_add((second.index + 1) * 1_000_000_000);
        let (cores, rss) = self.servers_at(end);
        let ms = |quantile: f64| second.latency.value_at_quantile(quantile) as f64 / 1e6;
        let some = !second.latency.is_empty();
        TimelineRow {
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
