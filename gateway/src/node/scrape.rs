//! The metrics of the node for a scrape.

use router_core::store::StoreQueue;

use super::core::Node;
use crate::metrics::ScrapeFacts;
use crate::telemetry;

impl Node {
    /// Brings the gauges up to date, for a scrape.
    pub(crate) fn render_metrics(&self) -> String {
        self.metrics.tenants.set(self.tenants() as f64);
        self.metrics
            .outbound_bytes
            .set(self.pools.outbound.used() as f64);
        self.metrics
            .assembly_bytes
            .set(self.pools.assembly.used() as f64);
        self.metrics
            .store_bytes
            .set(self.backplane.bytes().0 as f64);
        self.metrics
            .log_lines_dropped
            .absolute(telemetry::dropped_lines());
        for (gauge, sockets) in self.metrics.by_secret.iter().zip(self.sockets_by_secret()) {
            gauge.set(sockets as f64);
        }
        self.metrics.usage.unflushed.set(self.unflushed_seconds());
        for queue in StoreQueue::ALL {
            let waiting = self.shards.store_waiting(*queue);
            self.metrics.saturation.store_queue(*queue, waiting);
        }
        let (view, state) = (self.view(), self.backplane.state());
        let cluster = &self.metrics.cluster;
        cluster.lanes(&view, self.lane_totals());
        cluster.store(&state, self.entries(), self.compare_ms());
        self.metrics.render(&ScrapeFacts {
            nodes: &view,
            lanes: &self.lane_status(),
            redis_connected: (state.kind != "memory").then_some(state.connected),
        })
    }
}
