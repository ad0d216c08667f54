//! The result of a run: JSON, tables and pages.

mod charts;
mod environment;
pub mod html;
mod latency;
mod parts;
mod run_report;
#[cfg(test)]
pub(crate) mod sample;
pub mod table;
pub(crate) mod units;

pub use environment::RunEnvironment;
pub use latency::LatencySummary;
pub use parts::{
    BreachCount, GeneratorLoad, MessageCounts, StormResult, ThresholdVerdict, TimelineRow,
};
pub use run_report::{RunOutcome, RunReport, VERSION};
