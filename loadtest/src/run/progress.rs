//! Who is told of the progress of a run, and who ends it early.

use std::sync::atomic::AtomicUsize;

use crate::engine::RunPhase;
use crate::report::TimelineRow;

/// Who is told how a run goes.
pub trait ProgressSink {
    /// Sockets are being opened.
    fn connecting(&mut self, ready: usize, sockets: usize);
    /// A second is over: how many seconds of how many, and what happened.
    fn second(&mut self, phase: RunPhase, of_s: f64, row: &TimelineRow);
}

/// Counts how often somebody wants the run to end.
pub type InterruptCount = AtomicUsize;
