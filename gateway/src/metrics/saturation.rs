//! How full the node is: bounds, queues, and whether its threads keep up.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::metrics::{Gauge, Recorder};
use router_core::store::StoreQueue;
use tokio::runtime::Handle;

use super::handles::MetricHandles;

/// How long the largest lag is remembered at least; at most twice as long. A scrape every 10 s misses none.
const LAG_WINDOW: Duration = Duration::from_secs(10);

/// The gauges of what runs short.
pub(crate) struct SaturationMetrics {
    pub(crate) sockets_max: Gauge,
    pub(crate) outbound_bytes_max: Gauge,
    store_queues: Vec<(StoreQueue, Gauge)>,
    lag: Gauge,
    worst_lag: Mutex<WorstLag>,
    busy: Gauge,
}

impl SaturationMetrics {
    pub(super) fn new<R: Recorder>(make: &MetricHandles<'_, R>) -> Self {
        let queue = |queue: &StoreQueue| {
            let name = Some(queue_name(*queue).into());
            (*queue, make.gauge("t2b_store_queue", name))
        };
        Self {
            sockets_max: make.gauge("t2b_sockets_max", None),
            outbound_bytes_max: make.gauge("t2b_outbound_bytes_max", None),
            store_queues: StoreQueue::ALL.iter().map(queue).collect(),
            lag: make.gauge("t2b_runtime_lag_seconds", None),
            worst_lag: Mutex::new(WorstLag::new(Instant::now())),
            busy: make.gauge("t2b_runtime_busy_ratio", None),
        }
    }

    /// How many requests wait in a queue to the store.
    pub(crate) fn store_queue(&self, queue: StoreQueue, waiting: usize) {
        if let Some((_, gauge)) = self.store_queues.iter().find(|(own, _)| *own == queue) {
            gauge.set(waiting as f64);
        }
    }

    /// The timer of the node fired, so long after it was due.
    pub(crate) fn lagged(&self, lag: Duration) {
        let mut worst = self.worst_lag.lock();
        let worst = worst.as_mut().map_err(PoisonError::get_mut);
        let worst = worst.unwrap_or_else(|worst| worst);
        self.lag.set(worst.note(Instant::now(), lag).as_secs_f64());
    }

    /// How busy the worker threads were since the last look.
    pub(crate) fn looked(&self, busy: &mut RuntimeBusy) {
        self.busy.set(busy.since_last());
    }
}

/// The label of a queue.
fn queue_name(queue: StoreQueue) -> &'static str {
    match queue {
        StoreQueue::Directory => "directory",
        StoreQueue::Labels => "labels",
        StoreQueue::Usage => "usage",
    }
}

/// The largest lag of the present window and of the one before.
#[derive(Debug)]
struct WorstLag {
    since: Instant,
    now: Duration,
    before: Duration,
}

impl WorstLag {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            now: Duration::ZERO,
            before: Duration::ZERO,
        }
    }

    /// Takes one more, and tells the largest.
    fn note(&mut self, at: Instant, lag: Duration) -> Duration {
        if at.duration_since(self.since) >= LAG_WINDOW {
            self.since = at;
            self.before = std::mem::take(&mut self.now);
        }
        self.now = self.now.max(lag);
        self.now.max(self.before)
    }
}

/// How long the worker threads of the runtime were busy, as last looked.
#[derive(Debug)]
pub(crate) struct RuntimeBusy {
    at: Instant,
    busy: Duration,
}

impl RuntimeBusy {
    /// Looks for the first time. To be called inside the runtime.
    pub(crate) fn begin() -> Self {
        Self {
            at: Instant::now(),
            busy: busy_time(),
        }
    }

    /// The share of the time since the last look in which the threads were busy, from 0 to 1.
    fn since_last(&mut self) -> f64 {
        let last = std::mem::replace(self, Self::begin());
        let busy = self.busy.saturating_sub(last.busy).as_secs_f64();
        let workers = Handle::current().metrics().num_workers().max(1) as f64;
        let all = self.at.duration_since(last.at).as_secs_f64() * workers;
        // A thread that is busy since before the last look is counted when it waits again.
        if all > 0.0 {
            (busy / all).min(1.0)
        } else {
            0.0
        }
    }
}

/// Of all worker threads, since the start of the runtime.
fn busy_time() -> Duration {
    let metrics = Handle::current().metrics();
    let workers = 0..metrics.num_workers();
    workers
        .map(|worker| metrics.worker_total_busy_duration(worker))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_lag_is_told_for_one_window_at_least_and_two_at_most() {
        let start = Instant::now();
        let mut worst = WorstLag::new(start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let ms = Duration::from_millis;
        assert_eq!(worst.note(at(9), ms(300)), ms(300));
        assert_eq!(worst.note(at(10), ms(20)), ms(300));
        assert_eq!(worst.note(at(19), ms(5)), ms(300));
        assert_eq!(worst.note(at(20), ms(5)), ms(20));
        assert_eq!(worst.note(at(30), ms(1)), ms(5));
    }

    #[tokio::test]
    async fn a_thread_that_works_is_busy() {
        let mut busy = RuntimeBusy::begin();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        // The runtime adds the time of a thread up when it waits.
        tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>())
            .await
            .unwrap_err();
        assert!(busy.since_last() > 0.5);
    }
}
