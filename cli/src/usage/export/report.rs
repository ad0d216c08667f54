//! Rows that need a person: nobody but the receiver knows whether it has them, or it does not take them any more.

use std::collections::BTreeMap;

use serde_json::json;

use super::clock::{rfc3339, unix_ms};
use super::plan::ExportPlan;
use super::row_key::middle_ms;
use super::rules;
use super::state::{ExportWay, StateFile};
use crate::failure::CommandFailure;
use crate::out::{self, tell};
use crate::term;

/// Why a row is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReportReason {
    /// It was sent at this time, Unix milliseconds, and not acknowledged, and the receiver may not know it any more.
    Sent(u64),
    /// It was never sent, and is older than what the receiver takes.
    TooOld,
}

/// Reported rows, by their ids.
#[derive(Debug, Clone, Default)]
pub(super) struct RowReport(BTreeMap<String, ReportReason>);

impl RowReport {
    /// Adds a row.
    pub(super) fn add(&mut self, id: String, reason: ReportReason) {
        self.0.insert(id, reason);
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Prints the rows that need a decision: those that were found, and those of the state, whatever the range.
///
/// # Errors
///
/// Exit 1: there are some.
pub(super) fn finish(
    plan: &ExportPlan,
    state: Option<&StateFile>,
    found: &RowReport,
) -> Result<(), CommandFailure> {
    let mut report = found.clone();
    if let Some((state, space)) = state.and_then(|state| Some((state, state.space()?))) {
        for (key, sent_ms) in state.sent() {
            let event_ms = middle_ms(key.from, plan.step);
            if let Some(reason) = plan.in_doubt(event_ms, Some(sent_ms), unix_ms()) {
                report.add(space.id(key), reason);
            }
        }
    }
    if report.len() == 0 {
        return Ok(());
    }
    for (id, reason) in &report.0 {
        let line = match reason {
            ReportReason::Sent(sent_ms) => {
                json!({"reported": id, "reason": "sent_not_acknowledged", "sentAt": rfc3339(*sent_ms)})
            }
            ReportReason::TooOld => json!({"reported": id, "reason": "too_old"}),
        };
        match plan.way {
            ExportWay::Post => out::json(&line)?,
            // There are events on standard output.
            ExportWay::Print => tell!("{}", term::for_stderr(&line.to_string())),
        }
    }
    let rows = out::count(report.len() as u64, "row");
    let text = format!("{rows} not sent: ask the receiver whether it has them, and decide");
    let receiver = rules::name(plan.rules.kind);
    let next =
        format!("t2b usage export --as {receiver} --state FILE --acknowledge ID…, or --resend ID…");
    Err(CommandFailure::failed("rows_reported", text).or_next(next))
}
