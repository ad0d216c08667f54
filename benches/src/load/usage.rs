//! CPU use between two samples, and the figures of a round.

use std::time::{Duration, Instant};

use anyhow::Result;
use loadtest::process;
use serde::{Deserialize, Serialize};

/// What one round came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoundUsage {
    /// Messages that arrived, a second.
    pub messages_per_s: f64,
    /// Messages of the whole run, also before and after the measurement.
    pub messages_in_all: u64,
    /// CPU time of all server processes for one of them, µs.
    pub cpu_us: f64,
    /// Round trips that were timed.
    pub trips: usize,
    /// Round trip, median, µs.
    pub p50_us: f64,
    /// Round trip, 99th percentile, µs.
    pub p99_us: f64,
    /// Round trip, 99.9th percentile, µs.
    pub p999_us: f64,
    /// How late the generator sent, 99th percentile, µs; 0 for closed loops.
    pub late_p99_us: f64,
    /// Share of a core that the servers had.
    pub server_cores: f64,
    /// Share of a core that this process had.
    pub load_cores: f64,
    /// Cores that everybody else had.
    pub foreign_cores: f64,
}

/// What everybody had used at one time.
pub(crate) struct CpuUsage {
    at: Instant,
    messages: u64,
    servers: Duration,
    own: Duration,
    machine: Duration,
}

impl CpuUsage {
    /// Looks, after so many messages.
    pub fn now(servers: &[u32], messages: u64) -> Result<Self> {
        let mut cpu = Duration::ZERO;
        for server in servers {
            cpu += process::cpu_of(*server)?;
        }
        Ok(Self {
            at: Instant::now(),
            messages,
            servers: cpu,
            own: process::cpu_of(std::process::id())?,
            machine: process::cpu_of_machine()?,
        })
    }

    /// What happened between two looks.
    pub fn since(
        &self,
        before: &Self,
        trips: &mut CompactTimes,
        late: &mut CompactTimes,
    ) -> RoundUsage {
        let seconds = (self.at - before.at).as_secs_f64();
        let messages = (self.messages - before.messages) as f64;
        let servers = (self.servers - before.servers).as_secs_f64();
        let own = (self.own - before.own).as_secs_f64();
        let machine = self.machine.saturating_sub(before.machine).as_secs_f64();
        RoundUsage {
            messages_per_s: messages / seconds,
            messages_in_all: self.messages,
            cpu_us: 1e6 * servers / messages,
            trips: trips.0.len(),
            p50_us: trips.percentile_us(0.5),
            p99_us: trips.percentile_us(0.99),
            p999_us: trips.percentile_us(0.999),
            late_p99_us: late.percentile_us(0.99),
            server_cores: servers / seconds,
            load_cores: own / seconds,
            foreign_cores: ((machine - servers - own) / seconds).max(0.0),
        }
    }
}

/// Times, each in four bytes: there are millions.
#[derive(Debug, Default)]
pub struct CompactTimes(Vec<u32>);

impl CompactTimes {
    /// Adds one. Above 4.2 s it counts as 4.2 s.
    pub fn push(&mut self, time: Duration) {
        self.0
            .push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn percentile_us(&mut self, fraction: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        if self.0.is_empty() {
            return 0.0;
        }
        let index = (last as f64 * fraction).round() as usize;
        let (_, time, _) = self.0.select_nth_unstable(index);
        f64::from(*time) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let mut times = CompactTimes::default();
        assert_eq!(times.percentile_us(0.5), 0.0);
        for us in (1..=1000).rev() {
            times.push(Duration::from_micros(us));
        }
        times.push(Duration::from_secs(60));
        let found = [0.5, 0.99, 1.0].map(|fraction| times.percentile_us(fraction));
        assert_eq!(found, [501.0, 991.0, 4_294_967.295]);
    }
}
