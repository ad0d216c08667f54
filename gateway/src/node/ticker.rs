//! Time for everybody: one task wakes sessions and shards that are due, not one timer each.
//!
//! Shards are looked at every 50 ms (presence is gathered for 100), connections every 250 ms. A
//! look is an atomic load; only what is due is locked.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use protocol::CloseCode;
use protocol::limits::SLOW_CONSUMER_MS;
use router_core::session;
use router_core::shard::Input;
use tokio::time::{MissedTickBehavior, interval};

use super::{Entry, Node, StoreQueue, Work};

const TICK: Duration = Duration::from_millis(50);
/// Ticks between two looks at the connections.
const CONNECTION_TICKS: u64 = 5;
/// Ticks between two sweeps of the store, and two looks at the gauges.
const SLOW_TICKS: u64 = 100;
/// Questions of a shard that the store has at once.
const ASKED_AT_ONCE: usize = 64;
/// Tenants of this node that ask the store without need in a second, at most.
const QUESTIONS_PER_SECOND: u64 = 2000;
/// Times that a shard is woken in one tick before the others get their turn.
const WAKES_MAX: usize = 64;

impl Node {
    /// Ticks for as long as the node lives.
    pub(crate) async fn tick(self: Arc<Self>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for count in 0u64.. {
            ticks.tick().await;
            self.wake_shards();
            if count % CONNECTION_TICKS == 0 {
                self.wake_connections();
            }
            if count % SLOW_TICKS == 0 {
                self.backplane.sweep(self.clock.now_ms());
                let round_ms = self.tenants() as u64 * 1000 / QUESTIONS_PER_SECOND;
                self.round_ms.store(round_ms, Ordering::Relaxed);
            }
        }
    }

    /// Asks the store what a shard's tenants want to know: many questions at once, in their order,
    /// and the answers in that order too.
    pub(crate) async fn answer(self: Arc<Self>, queue: StoreQueue) {
        let requests = stream::unfold(queue.requests, |mut requests| async {
            let asked = requests.recv().await?;
            Some((asked, requests))
        });
        let replies = requests.map(|(ticket, request)| {
            let node = Arc::clone(&self);
            async move { (ticket, node.backplane.execute(request).await) }
        });
        let mut replies = std::pin::pin!(replies.buffered(ASKED_AT_ONCE));
        while let Some((ticket, reply)) = replies.next().await {
            let mut work = Work::default();
            let input = Input::Reply { ticket, reply };
            self.in_shard(&self.env(&self.view()), queue.shard, input, &mut work);
            self.finish(&mut work);
        }
    }

    fn wake_shards(&self) {
        for (index, cell) in self.shards.iter().enumerate() {
            for _ in 0..WAKES_MAX {
                if cell.wake_ms.load(Ordering::Relaxed) > self.clock.now_ms() {
                    break;
                }
                let mut work = Work::default();
                self.in_shard(&self.env(&self.view()), index, Input::Wake, &mut work);
                self.finish(&mut work);
            }
        }
    }

    fn wake_connections(&self) {
        let now_ms = self.clock.now_ms();
        let mut work = Work::default();
        self.for_each_connection(|entry: &Arc<Entry>| {
            if entry.socket.overdue(now_ms, SLOW_CONSUMER_MS) {
                entry.socket.close(CloseCode::SlowConsumer);
                work.touch(entry);
            }
            if entry.wake_ms.load(Ordering::Relaxed) <= now_ms {
                self.input(entry, session::Input::Wake, &mut work);
                self.finish(&mut work);
            }
        });
        self.finish(&mut work);
    }

    /// Brings the gauges up to date, for a scrape.
    pub(crate) fn render_metrics(&self) -> String {
        self.metrics.tenants.set(self.tenants() as f64);
        self.metrics.outbound_bytes.set(self.outbound.used() as f64);
        self.metrics.assembly_bytes.set(self.assembly.used() as f64);
        self.metrics
            .store_bytes
            .set(self.backplane.bytes().0 as f64);
        for (gauge, sockets) in self.metrics.by_secret.iter().zip(self.sockets_by_secret()) {
            gauge.set(sockets as f64);
        }
        let cluster = &self.metrics.cluster;
        cluster.lanes(&self.view(), self.lane_totals());
        cluster.store(&self.backplane.state(), self.entries(), self.compare_ms());
        self.metrics.render(&self.view())
    }
}
