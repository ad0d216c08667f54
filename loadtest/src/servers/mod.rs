//! What the gateways and their Redis use during a run: metrics, CPU time and memory.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::process;
use crate::target::TargetNode;

mod metrics;
mod redis;

pub use metrics::MetricsEndpoint;
pub use redis::RedisTarget;

/// A gateway that is watched.
#[derive(Debug, Clone)]
pub struct WatchedServer {
    /// What it is called in results.
    pub name: String,
    /// Its `/metrics`.
    pub metrics: Option<MetricsEndpoint>,
    /// Its process, if it is on this machine.
    pub pid: Option<u32>,
}

/// What is watched.
#[derive(Debug, Clone, Default)]
pub struct ServerWatch {
    /// The gateways.
    pub servers: Vec<WatchedServer>,
    /// Their Redis.
    pub redis: Option<RedisTarget>,
}

/// A look at one server. None: it does not say.
#[derive(Debug, Clone, Default)]
pub struct ServerSample {
    /// CPU time since it started, seconds.
    pub cpu_s: Option<f64>,
    /// Memory in RAM, bytes.
    pub rss: Option<u64>,
    /// Context switches, wanted and unwanted.
    pub switches: Option<(u64, u64)>,
    /// Every series of its `/metrics`.
    pub series: BTreeMap<String, f64>,
}

/// A look at everything.
#[derive(Debug, Clone, Default)]
pub struct RunSample {
    /// When, nanoseconds of the run.
    pub at: u64,
    /// Each server.
    pub servers: Vec<ServerSample>,
    /// Redis' INFO.
    pub redis: Option<BTreeMap<String, f64>>,
    /// CPU time of the whole machine, seconds.
    pub machine_s: Option<f64>,
}

/// What one server used within the measurement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerLoad {
    /// What it is called.
    pub name: String,
    /// Its process.
    pub pid: Option<u32>,
    /// CPU time, seconds.
    pub cpu_s: Option<f64>,
    /// Cores that it had.
    pub cores: Option<f64>,
    /// Memory before a socket was open, bytes.
    pub rss_before: Option<u64>,
    /// Most memory within the measurement, bytes.
    pub rss_max: Option<u64>,
    /// Context switches a second, wanted.
    pub switches_per_s: Option<f64>,
    /// Context switches a second, unwanted.
    pub preemptions_per_s: Option<f64>,
    /// By how much each of its counters rose.
    pub counters: BTreeMap<String, f64>,
    /// Its gauges at the end.
    pub gauges: BTreeMap<String, f64>,
}

/// What Redis did within the measurement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RedisLoad {
    /// Cores that it had.
    pub cores: f64,
    /// Commands a second.
    pub commands_per_s: f64,
    /// Bytes a second that it received.
    pub in_bytes_per_s: f64,
    /// Bytes a second that it sent.
    pub out_bytes_per_s: f64,
    /// Channels with a subscriber, at the end.
    pub channels: f64,
    /// Memory, bytes, at the end.
    pub memory_bytes: f64,
}

impl ServerWatch {
    /// What the command line says: the n-th `--metrics` and the n-th `--pid` are one server. Without
    /// `--pid`, gateways of this machine are found by the port they listen on.
    pub fn new(
        metrics: &[String],
        pids: &[u32],
        redis: Option<&str>,
        nodes: &[TargetNode],
    ) -> Result<Self> {
        let found: Vec<Option<u32>> = match pids {
            [] => nodes.iter().map(process_of).collect(),
            pids => pids.iter().copied().map(Some).collect(),
        };
        let mut servers = Vec::new();
        for place in 0..metrics.len().max(found.len()) {
            let endpoint = metrics.get(place).map(|url| MetricsEndpoint::parse(url));
            let pid = found.get(place).copied().flatten();
            if endpoint.is_none() && pid.is_none() {
                continue;
            }
            let name = nodes.get(place).map(|node| node.host.clone());
            servers.push(WatchedServer {
                name: name.unwrap_or_else(|| format!("server {}", place + 1)),
                metrics: endpoint.transpose()?,
                pid,
            });
        }
        Ok(Self {
            servers,
            redis: redis.map(RedisTarget::parse).transpose()?,
        })
    }

    /// Looks once, and fails where a later look would only leave a gap.
    pub fn check(&self) -> Result<()> {
        for server in &self.servers {
            if let Some(endpoint) = &server.metrics {
                endpoint.read()?;
            }
            if let Some(pid) = server.pid {
                process::cpu_of(pid).with_context(|| format!("process {pid}"))?;
            }
        }
        if let Some(redis) = &self.redis {
            redis.info()?;
        }
        Ok(())
    }

    /// Looks at everything; what does not answer within half a second is left out.
    pub fn look(&self, at: u64) -> RunSample {
        RunSample {
            at,
            servers: self.servers.iter().map(WatchedServer::look).collect(),
            redis: self.redis.as_ref().and_then(|redis| redis.info().ok()),
            machine_s: process::cpu_of_machine().ok().map(|it| it.as_secs_f64()),
        }
    }
}

/// The process that serves a node of this machine, unless it is this one.
fn process_of(node: &TargetNode) -> Option<u32> {
    let found = node
        .is_local()
        .then(|| process::listener_on(node.address.port()));
    found.flatten().filter(|pid| *pid != std::process::id())
}

impl WatchedServer {
    fn look(&self) -> ServerSample {
        let series = self.metrics.as_ref().and_then(|it| it.read().ok());
        let series = series.unwrap_or_default();
        let cpu = self.pid.and_then(|pid| process::cpu_of(pid).ok());
        let rss = self.pid.and_then(|pid| process::memory_of(pid).ok());
        let said = |name: &str| series.get(name).copied();
        ServerSample {
            cpu_s: cpu
                .map(|it| it.as_secs_f64())
                .or_else(|| said("process_cpu_seconds_total")),
            rss: rss.or_else(|| said("process_resident_memory_bytes").map(|it| it as u64)),
            switches: self.pid.and_then(|pid| process::switches_of(pid).ok()),
            series,
        }
    }
}

/// What each server used between two looks; `before` is from the time before a socket was open.
pub fn loads(
    watch: &ServerWatch,
    before: &RunSample,
    from: &RunSample,
    to: &RunSample,
    all: &[RunSample],
) -> Vec<ServerLoad> {
    let seconds = seconds_between(from, to);
    let servers = watch.servers.iter().enumerate();
    let load = |(place, server): (usize, &WatchedServer)| {
        let (a, b) = (&from.servers[place], &to.servers[place]);
        let cpu_s = difference(a.cpu_s, b.cpu_s);
        let per_s = |it: fn(&(u64, u64)) -> u64| {
            let (a, b) = (a.switches.as_ref().map(it)?, b.switches.as_ref().map(it)?);
            Some(b.saturating_sub(a) as f64 / seconds)
        };
        let within = all.iter().filter(|it| it.at >= from.at && it.at <= to.at);
        let within = within.filter_map(|it| it.servers[place].rss);
        let (counters, gauges) = changes(&a.series, &b.series);
        ServerLoad {
            name: server.name.clone(),
            pid: server.pid,
            cpu_s,
            cores: cpu_s.map(|it| it / seconds),
            rss_before: before.servers[place].rss,
            rss_max: within.chain(b.rss).max(),
            switches_per_s: per_s(|it| it.0),
            preemptions_per_s: per_s(|it| it.1),
            counters,
            gauges,
        }
    };
    servers.map(load).collect()
}

/// What Redis did between two looks.
pub(crate) fn redis_load(from: &RunSample, to: &RunSample) -> Option<RedisLoad> {
    let (a, b) = (from.redis.as_ref()?, to.redis.as_ref()?);
    let seconds = seconds_between(from, to);
    let value = |of: &BTreeMap<String, f64>, name: &str| of.get(name).copied().unwrap_or(0.0);
    let per_s = |name: &str| (value(b, name) - value(a, name)) / seconds;
    Some(RedisLoad {
        cores: per_s("used_cpu_sys") + per_s("used_cpu_user"),
        commands_per_s: per_s("total_commands_processed"),
        in_bytes_per_s: per_s("total_net_input_bytes"),
        out_bytes_per_s: per_s("total_net_output_bytes"),
        channels: value(b, "pubsub_channels"),
        memory_bytes: value(b, "used_memory"),
    })
}

/// Seconds between two looks.
pub(crate) fn seconds_between(from: &RunSample, to: &RunSample) -> f64 {
    (to.at.saturating_sub(from.at) as f64 / 1e9).max(1e-9)
}

fn difference(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(b? - a?)
}

/// Counters that rose, by how much, and gauges that are not zero.
fn changes(
    a: &BTreeMap<String, f64>,
    b: &BTreeMap<String, f64>,
) -> (BTreeMap<String, f64>, BTreeMap<String, f64>) {
    let is_counter = |series: &str| {
        let name = series.split('{').next().unwrap_or(series);
        name.ends_with("_total")
    };
    let before = |series: &String| a.get(series).copied().unwrap_or(0.0);
    let rose = b
        .iter()
        .filter(|(series, _)| is_counter(series))
        .map(|(series, value)| (series.clone(), value - before(series)))
        .filter(|(_, rise)| *rise > 0.0);
    let gauges = b
        .iter()
        .filter(|(series, value)| !is_counter(series) && **value != 0.0)
        .map(|(series, value)| (series.clone(), *value));
    (rose.collect(), gauges.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(at_s: u64, cpu_s: f64, rss: u64, delivered: f64) -> RunSample {
        let series = BTreeMap::from([
            ("t2b_messages_delivered_total".to_owned(), delivered),
            ("t2b_connections".to_owned(), 4.0),
            ("t2b_closes_total{code=\"1000\"}".to_owned(), 7.0),
        ]);
        RunSample {
            at: at_s * 1_000_000_000,
            servers: vec![ServerSample {
                cpu_s: Some(cpu_s),
                rss: Some(rss),
                switches: Some((100 * at_s, at_s)),
                series,
            }],
            ..RunSample::default()
        }
    }

    #[test]
    fn a_load_is_what_lies_between_two_looks() {
        let watch = ServerWatch {
            servers: vec![WatchedServer {
                name: "a".to_owned(),
                metrics: None,
                pid: None,
            }],
            redis: None,
        };
        let (before, from, to) = (
            looks(0, 1.0, 100, 0.0),
            looks(2, 2.0, 300, 10.0),
            looks(4, 3.0, 200, 60.0),
        );
        let all = [
            before.clone(),
            from.clone(),
            looks(3, 2.5, 900, 20.0),
            to.clone(),
        ];
        let load = &loads(&watch, &before, &from, &to, &all)[0];
        assert_eq!((load.cpu_s, load.cores), (Some(1.0), Some(0.5)));
        assert_eq!((load.rss_before, load.rss_max), (Some(100), Some(900)));
        assert_eq!(load.switches_per_s, Some(100.0));
        assert_eq!(
            load.counters,
            BTreeMap::from([("t2b_messages_delivered_total".to_owned(), 50.0)])
        );
        assert_eq!(load.gauges.len(), 1);
    }

    #[test]
    fn the_nth_metrics_and_the_nth_pid_are_one_server() {
        let node = TargetNode::parse("ws://127.0.0.1:1").unwrap();
        let urls = ["http://127.0.0.1:9/metrics".to_owned()];
        let watch = ServerWatch::new(&urls, &[5, 6], None, &[node]).unwrap();
        let found: Vec<_> = watch
            .servers
            .iter()
            .map(|it| (it.pid, it.metrics.is_some()))
            .collect();
        assert_eq!(found, [(Some(5), true), (Some(6), false)]);
    }
}
