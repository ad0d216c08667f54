//! What is counted of the way of usage into the ledger.

use ::metrics::{Counter, Gauge, Recorder};

use protocol::UsageMeter;

use super::handles::MetricHandles;

/// The booking of usage.
pub(crate) struct UsageMetrics {
    /// Records that are in the ledger.
    pub booked: Counter,
    /// Those that are in a later hour than their own.
    pub late: Counter,
    /// Records without an answer.
    pub failed: Counter,
    /// Soft allowances that were reached, by meter.
    pub allowances_reached: [Counter; UsageMeter::COUNT],
    /// Age of what is not booked.
    pub unflushed: Gauge,
    /// Times that the journal could not be begun or written.
    pub journal_failed: Counter,
}

impl UsageMetrics {
    pub(super) fn new<R: Recorder>(make: &MetricHandles<'_, R>) -> Self {
        let flushed =
            |result: &'static str| make.counter("t2b_usage_flush_total", Some(result.into()));
        Self {
            booked: flushed("booked"),
            late: flushed("late"),
            failed: flushed("failed"),
            allowances_reached: std::array::from_fn(|place| {
                let name = UsageMeter::ALL[place].name();
                make.counter("t2b_allowances_reached_total", Some(name.into()))
            }),
            unflushed: make.gauge("t2b_usage_unflushed_seconds", None),
            journal_failed: make.counter("t2b_usage_journal_failures_total", None),
        }
    }
}
