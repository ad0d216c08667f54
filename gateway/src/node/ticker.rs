//! Time for everybody: two tasks wake sessions and shards that are due, not one timer each.
//!
//! Shards are looked at every 50 ms (presence is gathered for 100), connections every 250 ms. A
//! look is an atomic load; only what is due is locked. Shards have a task of their own, since a round
//! of presence can take long, and others are not to be judged late for that.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::CloseCode;
use router_core::shard::ShardInput;
use router_core::{Millis, session};
use tokio::time::{MissedTickBehavior, interval};

use super::{Entry, Node, Work};
use crate::sock_diag::SockDiag;
use crate::telemetry;
use crate::ws::{KernelAsk, SocketEnds};

/// A tick, or a look at the connections, that comes so late, milliseconds, comes after a pause of this
/// process.
const PAUSE_MS: Millis = 1000;
/// Room for questions to the kernel that is kept between two looks.
const ASKS_KEPT: usize = 1024;
const TICK: Duration = Duration::from_millis(50);
/// Ticks between two looks at the connections.
const CONNECTION_TICKS: u64 = 5;
/// Ticks between two sweeps of the store, and two looks at the gauges.
const SLOW_TICKS: u64 = 100;
/// Tenants of this node that ask the store without need in a second, at most.
const QUESTIONS_PER_SECOND: u64 = 2000;
/// Times that a shard is woken in one tick before the others get their turn.
const WAKES_MAX: usize = 64;

/// What the looks at connections share.
struct SocketLooks {
    kernel: Option<SockDiag>,
    asks: Vec<(Arc<Entry>, SocketEnds, KernelAsk)>,
    /// Those whose shared budget has had no room for long.
    starved: Vec<Arc<Entry>>,
    /// What the kernel held at the last look.
    kernel_bytes: usize,
    last_ms: Millis,
}

impl SocketLooks {
    fn new(node: &Node) -> Self {
        let kernel = SockDiag::open().inspect_err(|error| {
            tracing::warn!(%error, "sock_diag: the kernel's buffers of sockets are not counted");
        });
        Self {
            kernel: kernel.ok(),
            asks: Vec::new(),
            starved: Vec::new(),
            kernel_bytes: 0,
            last_ms: node.clock.now_ms(),
        }
    }

    /// How long this process stood still since the last look, beyond what is usual.
    fn paused_ms(&mut self, now_ms: Millis) -> Millis {
        let since_ms = now_ms.saturating_sub(std::mem::replace(&mut self.last_ms, now_ms));
        if since_ms < PAUSE_MS { 0 } else { since_ms }
    }

    /// Asks the kernel about the connections that were noted, and tells them.
    fn ask(&mut self, now_ms: Millis) {
        let about: Vec<SocketEnds> = self.asks.iter().map(|(_, ends, _)| *ends).collect();
        let answers = self.kernel.as_ref().map(|kernel| kernel.ask(&about));
        let answers = match answers {
            Some(Ok(answers)) => answers,
            // What it does not tell is taken to have arrived: nobody is closed for its silence.
            Some(Err(error)) => {
                tracing::debug!(%error, "sock_diag: no answer");
                vec![None; about.len()]
            }
            None => vec![None; about.len()],
        };
        self.kernel_bytes = 0;
        for ((entry, _, ask), held) in self.asks.drain(..).zip(answers) {
            entry.socket.kernel_told(ask, held, now_ms);
            self.kernel_bytes += entry.socket.kernel_bytes();
        }
        self.asks.shrink_to(ASKS_KEPT);
    }
}

impl Node {
    /// Ticks for as long as the node lives.
    pub(crate) async fn tick(self: Arc<Self>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = SocketLooks::new(&self);
        let mut ticked_ms = self.clock.now_ms();
        let mut told_dropped = 0;
        for count in 0u64.. {
            ticks.tick().await;
            let now_ms = self.clock.now_ms();
            if now_ms - std::mem::replace(&mut ticked_ms, now_ms) >= PAUSE_MS {
                self.resume_connections();
            }
            self.follow_clock();
            self.shed_excess();
            if count % CONNECTION_TICKS == 0 {
                self.wake_connections(&mut looks);
            }
            if count % SLOW_TICKS == 0 {
                self.backplane.sweep(self.unix_ms());
                let round_ms = self.tenants() as u64 * 1000 / QUESTIONS_PER_SECOND;
                self.round_ms.store(round_ms, Ordering::Relaxed);
                let dropped = telemetry::dropped_lines();
                if dropped > std::mem::replace(&mut told_dropped, dropped) {
                    tracing::warn!(
                        lines = dropped,
                        "lines of the log were dropped since the start: stderr did not take them"
                    );
                }
            }
        }
    }

    /// Wakes shards that are due, for as long as the node lives.
    pub(crate) async fn wake_shards(self: Arc<Self>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for (index, cell) in self.shards.iter().enumerate() {
                for _ in 0..WAKES_MAX {
                    if cell.wake_ms.load(Ordering::Relaxed) > self.clock.now_ms() {
                        break;
                    }
                    let mut work = Work::default();
                    self.in_shard(&self.env(&self.view()), index, ShardInput::Wake, &mut work);
                    self.finish(&mut work);
                    // It may have written to hundreds of sockets: other tasks of this thread go first.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Follows the system clock.
    fn follow_clock(&self) {
        let Some(step) = self.clock.read() else {
            return;
        };
        let seconds = step.by_ms as f64 / 1000.0;
        self.metrics.clock_steps.increment(1);
        tracing::warn!(seconds, "the system clock was set");
        if step.by_ms < 0 {
            let next_key = self.next_key.load(Ordering::Relaxed);
            self.clock_steps
                .step_back(next_key, step.told_ms, self.unix_ms());
        }
    }

    /// The process, or the machine under it, stood still: nobody is judged for that time.
    fn resume_connections(&self) {
        tracing::warn!("this process stood still for a second or longer");
        let mut work = Work::default();
        self.for_each_connection(|entry| {
            self.input(entry, session::SessionInput::Resumed, &mut work);
            self.finish(&mut work);
        });
    }

    fn wake_connections(&self, looks: &mut SocketLooks) {
        let now_ms = self.clock.now_ms();
        let paused_ms = looks.paused_ms(now_ms);
        let mut work = Work::default();
        self.for_each_connection(|entry: &Arc<Entry>| {
            if entry.socket.take_moved() {
                entry.moved_ms.store(now_ms, Ordering::Relaxed);
            }
            let look = entry.socket.look(now_ms, paused_ms);
            if look.is_slow {
                entry.socket.close(CloseCode::SlowConsumer);
                work.touch(entry);
            }
            if look.is_starved {
                looks.starved.push(Arc::clone(entry));
            }
            if let Some(ask) = look.ask
                && let Some(ends) = entry.socket.ends()
            {
                looks.asks.push((Arc::clone(entry), ends, ask));
            }
            if entry.wake_ms.load(Ordering::Relaxed) <= now_ms {
                let at_ms = entry.moved_ms.load(Ordering::Relaxed);
                self.input(entry, session::SessionInput::Moved { at_ms }, &mut work);
                self.input(entry, session::SessionInput::Wake, &mut work);
                self.finish(&mut work);
            }
        });
        self.finish(&mut work);
        looks.ask(now_ms);
        self.shed_for(std::mem::take(&mut looks.starved));
        self.metrics
            .outbound_kernel_bytes
            .set(looks.kernel_bytes as f64);
    }

    /// Brings the gauges up to date, for a scrape.
    pub(crate) fn render_metrics(&self) -> String {
        self.metrics.tenants.set(self.tenants() as f64);
        self.metrics.outbound_bytes.set(self.outbound.used() as f64);
        self.metrics.assembly_bytes.set(self.assembly.used() as f64);
        self.metrics
            .store_bytes
            .set(self.backplane.bytes().0 as f64);
        self.metrics
            .log_lines_dropped
            .absolute(telemetry::dropped_lines());
        for (gauge, sockets) in self.metrics.by_secret.iter().zip(self.sockets_by_secret()) {
            gauge.set(sockets as f64);
        }
        let cluster = &self.metrics.cluster;
        cluster.lanes(&self.view(), self.lane_totals());
        cluster.store(&self.backplane.state(), self.entries(), self.compare_ms());
        self.metrics.render(&self.view())
    }
}
