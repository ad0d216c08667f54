//! The metrics of the node for a scrape.

use super::core::Node;
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
        let cluster = &self.metrics.cluster;
        cluster.lanes(&self.view(), self.lane_totals());
        cluster.store(&self.backplane.state(), self.entries(), self.compare_ms());
        self.metrics.render(&self.view())
    }
}
