//! What is counted of connections that are asked to move to other nodes.

use ::metrics::{Counter, Recorder};

use super::handles::MetricHandles;

/// What came of a connection that is to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MoveOutcome {
    /// It was asked to move.
    Asked,
    /// It was gone in time.
    Moved,
    /// It stayed, and was closed.
    Closed,
}

/// The connections that are asked to move.
pub(crate) struct MoveMetrics {
    asked: Counter,
    moved: Counter,
    closed: Counter,
}

impl MoveMetrics {
    pub(super) fn new<R: Recorder>(make: &MetricHandles<'_, R>) -> Self {
        let moves = |outcome: &'static str| make.counter("t2b_moves_total", Some(outcome.into()));
        Self {
            asked: moves("asked"),
            moved: moves("moved"),
            closed: moves("closed"),
        }
    }

    pub(crate) fn count(&self, outcome: MoveOutcome) {
        let counter = match outcome {
            MoveOutcome::Asked => &self.asked,
            MoveOutcome::Moved => &self.moved,
            MoveOutcome::Closed => &self.closed,
        };
        counter.increment(1);
    }
}
