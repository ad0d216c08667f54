//! How long things took: the histograms.

use std::time::Duration;

use ::metrics::{Histogram, Recorder};

use super::handles::MetricHandles;

/// How a path is counted that is no route of the HTTP API.
pub(crate) const OTHER_ROUTE: &str = "other";

/// The requests to the store, by the names that they have in `router-core`.
const ASKS: [&str; 19] = [
    "load",
    "version",
    "enter",
    "claim",
    "assert",
    "release",
    "reap",
    "forget",
    "revoke",
    "suspend",
    "get_labels",
    "put_labels",
    "book_usage",
    "read_usage",
    "read_usage_seen",
    "beat",
    "evict",
    "hello",
    "describe",
];

/// Where a message was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessagePath {
    /// On this node alone.
    Local,
    /// By another node too.
    Remote,
}

/// The histograms of a node.
pub(crate) struct LatencyMetrics {
    local: Histogram,
    remote: Histogram,
    asks: Vec<(&'static str, Histogram)>,
    routes: Vec<(String, Histogram)>,
    lane_ack: Histogram,
    connect: Histogram,
}

impl LatencyMetrics {
    /// `routes`: the paths of the HTTP API.
    pub(super) fn new<R: Recorder>(make: &MetricHandles<'_, R>, routes: &[String]) -> Self {
        let message = |path: &'static str| make.histogram("t2b_message_seconds", Some(path.into()));
        let ask = |ask: &'static str| (ask, make.histogram("t2b_store_seconds", Some(ask.into())));
        let route = |route: &str| {
            let values = Some(route.to_owned().into());
            (route.to_owned(), make.histogram("t2b_http_seconds", values))
        };
        let routes = routes.iter().map(String::as_str);
        Self {
            local: message("local"),
            remote: message("remote"),
            asks: ASKS.map(ask).into(),
            routes: routes.chain([OTHER_ROUTE]).map(route).collect(),
            lane_ack: make.histogram("t2b_lane_ack_seconds", None),
            connect: make.histogram("t2b_connect_seconds", None),
        }
    }

    /// A message of the sample is settled, so long after it was read.
    pub(crate) fn message(&self, path: MessagePath, took: Duration) {
        match path {
            MessagePath::Local => self.local.record(took),
            MessagePath::Remote => self.remote.record(took),
        }
    }

    /// The store answered a request. `ask`: its name.
    pub(crate) fn store(&self, ask: &'static str, took: Duration) {
        record(&self.asks, ask, took);
    }

    /// A request of the HTTP API is answered. `route`: the path of one, or [`OTHER_ROUTE`].
    pub(crate) fn http(&self, route: &str, took: Duration) {
        if let Some((_, histogram)) = self.routes.iter().find(|(own, _)| own == route) {
            histogram.record(took);
        }
    }

    /// Another node acknowledged a batch.
    pub(crate) fn lane_ack(&self, took: Duration) {
        self.lane_ack.record(took);
    }

    /// A WebSocket connection got its `auth_ok`.
    pub(crate) fn connect(&self, took: Duration) {
        self.connect.record(took);
    }
}

fn record(histograms: &[(&'static str, Histogram)], name: &str, took: Duration) {
    let found = histograms.iter().find(|(own, _)| *own == name);
    debug_assert!(found.is_some(), "{name} has no series");
    if let Some((_, histogram)) = found {
        histogram.record(took);
    }
}
