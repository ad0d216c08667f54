//! What is counted of reloads of the configuration.

use std::time::{SystemTime, UNIX_EPOCH};

use ::metrics::{Counter, Gauge, Recorder};

use super::handles::MetricHandles;

/// What came of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReloadResult {
    /// Something of it applies now.
    Changed,
    /// Nothing that can be applied has changed.
    Unchanged,
    /// The configuration is wrong, or would cut somebody off.
    Refused,
}

/// The reloads of the configuration.
pub(crate) struct ReloadMetrics {
    changed: Counter,
    unchanged: Counter,
    refused: Counter,
    loaded: Gauge,
}

impl ReloadMetrics {
    pub(super) fn new<R: Recorder>(make: &MetricHandles<'_, R>) -> Self {
        let reloads = |result: &'static str| make.counter("t2b_reloads_total", Some(result.into()));
        let metrics = Self {
            changed: reloads("changed"),
            unchanged: reloads("unchanged"),
            refused: reloads("refused"),
            loaded: make.gauge("t2b_config_loaded_timestamp_seconds", None),
        };
        metrics.loaded_now();
        metrics
    }

    pub(crate) fn count(&self, result: ReloadResult) {
        let counter = match result {
            ReloadResult::Changed => &self.changed,
            ReloadResult::Unchanged => &self.unchanged,
            ReloadResult::Refused => &self.refused,
        };
        counter.increment(1);
        if result != ReloadResult::Refused {
            self.loaded_now();
        }
    }

    fn loaded_now(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.loaded.set(now.unwrap_or_default().as_secs_f64());
    }
}
