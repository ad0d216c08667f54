//! Time for everybody: two tasks wake sessions and shards that are due, not one timer each.
//!
//! Shards are looked at every 50 ms (presence is gathered for 100), connections every 250 ms. A
//! look is an atomic load; only what is due is locked. Shards have a task of their own, since a round
//! of presence can take long, and others are not to be judged late for that.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use router_core::shard::ShardInput;
use tokio::time::{MissedTickBehavior, interval};

use super::core::Node;
use super::socket_looks::{PAUSE_MS, SocketLooks};
use super::work::DeferredWork;
use crate::metrics::RuntimeBusy;
use crate::telemetry;

const TICK: Duration = Duration::from_millis(50);
/// Ticks between two looks at the connections.
const CONNECTION_TICKS: u64 = 5;
/// Ticks between two sweeps of the store, and two looks at the gauges.
const SLOW_TICKS: u64 = 100;
/// Tenants of this node that ask the store without need in a second, at most.
const QUESTIONS_PER_SECOND: u64 = 2000;
/// Times that a shard is woken in one tick before the others get their turn.
const WAKES_MAX: usize = 64;
/// Wakes in a row of tenants that write to no socket, before other tasks of the thread get their turn. What
/// these tenants ask the store is written together; each takes a few microseconds.
const QUIET_WAKES_MAX: usize = 64;

impl Node {
    /// Ticks for as long as the node lives.
    pub(crate) async fn tick(self: Arc<Self>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = SocketLooks::new(&self);
        let mut ticked_ms = self.clock.now_ms();
        let mut told_dropped = 0;
        let mut busy = RuntimeBusy::begin();
        for count in 0u64.. {
            let due = ticks.tick().await;
            self.metrics.saturation.lagged(due.elapsed());
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
                self.metrics.gather();
                self.metrics.saturation.looked(&mut busy);
                self.backplane.sweep(self.unix_ms());
                let round_ms = self.tenants() as u64 * 1000 / QUESTIONS_PER_SECOND;
                self.shards.set_round_ms(round_ms);
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
        let mut quiet = 0;
        loop {
            ticks.tick().await;
            for (index, cell) in self.shards.cells().iter().enumerate() {
                for _ in 0..WAKES_MAX {
                    if cell.wake_ms.load(Ordering::Relaxed) > self.clock.now_ms() {
                        break;
                    }
                    let mut work = DeferredWork::default();
                    self.in_shard(
                        &self.env(&self.snapshot()),
                        index,
                        ShardInput::Wake,
                        &mut work,
                    );
                    quiet = if work.is_quiet() {
                        quiet + 1
                    } else {
                        QUIET_WAKES_MAX
                    };
                    self.finish(&mut work);
                    if quiet >= QUIET_WAKES_MAX {
                        // It may have written to hundreds of sockets: other tasks of this thread go first.
                        tokio::task::yield_now().await;
                        quiet = 0;
                    }
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
            let next_key = self.connections.next_key();
            self.clock_steps
                .step_back(next_key, step.told_ms, self.unix_ms());
        }
    }
}
