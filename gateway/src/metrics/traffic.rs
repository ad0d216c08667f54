//! What is counted for every message: added up for a burst first, since a counter that all threads
//! share costs as much as a small allocation.

use super::Metrics;

/// What one burst adds. Only a panic loses it. Every socket has one, so the counts are `u32` to save memory;
/// no burst has 2³² frames.
#[derive(Debug, Default)]
pub(crate) struct TrafficMetrics {
    frames: u32,
    delivered: u32,
    received_bytes: u64,
    delivered_bytes: u64,
}

impl TrafficMetrics {
    /// Counts a text frame of a socket.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.frames += 1;
        self.received_bytes += bytes as u64;
    }

    /// Counts a message that is in a queue.
    pub(crate) fn delivered(&mut self, bytes: usize) {
        self.delivered += 1;
        self.delivered_bytes += bytes as u64;
    }

    /// Adds it to the counters, and begins anew.
    pub(crate) fn count(&mut self, metrics: &Metrics) {
        let Self {
            frames,
            received_bytes,
            delivered,
            delivered_bytes,
        } = std::mem::take(self);
        if frames > 0 {
            metrics.frames.increment(frames.into());
            metrics.received_bytes.increment(received_bytes);
        }
        if delivered > 0 {
            metrics.delivered.increment(delivered.into());
            metrics.delivered_bytes.increment(delivered_bytes);
        }
    }
}
