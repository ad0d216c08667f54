//! The second pass over the ledger: day by day, each row that the receiver does not have goes into a batch.

use std::collections::BTreeSet;

use gateway::config::Config;
use protocol::http::UsageRow;
use protocol::{TenantId, UsageHour};

use super::clock::unix_ms;
use super::customers::CustomerMap;
use super::outlet::{EventOutlet, ExportTarget};
use super::plan::ExportPlan;
use super::reading::read;
use super::report::{ReportReason, RowReport};
use super::row_key::RowKey;
use super::shapes::ExportRow;
use super::state::StateFile;
use super::survey::{LedgerSurvey, no_customer};
use crate::failure::CommandFailure;

/// The rows that were sent, left out and reported.
pub(super) struct ExportDelivery<'a> {
    plan: &'a ExportPlan,
    customers: &'a CustomerMap,
    skip_unknown: bool,
    batch: Vec<ExportRow>,
    /// Rows that are acknowledged, or printed.
    pub(super) delivered: u64,
    /// Rows without a customer.
    pub(super) skipped: u64,
    pub(super) report: RowReport,
}

impl<'a> ExportDelivery<'a> {
    /// Nothing is sent yet.
    pub(super) fn new(
        plan: &'a ExportPlan,
        customers: &'a CustomerMap,
        skip_unknown: bool,
    ) -> Self {
        Self {
            plan,
            customers,
            skip_unknown,
            batch: Vec::new(),
            delivered: 0,
            skipped: 0,
            report: RowReport::default(),
        }
    }

    /// Sends every row of the plan that was closed for certain.
    ///
    /// # Errors
    ///
    /// As the gateway and the receiver answer, and if the state cannot be written.
    pub(super) async fn run(
        &mut self,
        config: &Config,
        survey: &LedgerSurvey,
        outlet: &mut EventOutlet,
        mut state: Option<&mut StateFile>,
    ) -> Result<(), CommandFailure> {
        outlet.start(self.plan)?;
        if survey.space.is_none() {
            // The state cannot note that it has no rows of a cluster whose name is not known.
            return Ok(());
        }
        let end = self.plan.to.min(survey.closed_to);
        let mut from = self.plan.from;
        while from < end {
            // A day at a time, so that the state forgets each day when it is done.
            let to = from.day().plus(UsageHour::PER_DAY).min(end);
            let reported = self.report.len();
            let mut target = ExportTarget {
                outlet,
                state: state.as_deref_mut(),
            };
            self.send_range(config, survey, (from, to), &mut target)
                .await?;
            // Rows of one user say nothing about those of others.
            let is_whole = self.plan.user.is_none() && self.report.len() == reported;
            if let Some(state) = state.as_deref_mut().filter(|_| is_whole) {
                state.cover(&self.plan.meters, (from, to))?;
            }
            from = to;
        }
        Ok(())
    }

    async fn send_range(
        &mut self,
        config: &Config,
        survey: &LedgerSurvey,
        range: (UsageHour, UsageHour),
        target: &mut ExportTarget<'_>,
    ) -> Result<(), CommandFailure> {
        let mut cursor = None;
        loop {
            let page = read(config, self.plan, range, cursor.as_deref()).await?;
            if page.space.is_some() && page.space != survey.space {
                let text = "the cluster's name changed while its rows were read";
                return Err(CommandFailure::failed("cluster", text));
            }
            for (key, row) in page.rows {
                self.take(key, row, &page.as_of, target.state.as_deref())?;
                if self.batch.len() == self.plan.rules.rows_max {
                    self.flush(target).await?;
                }
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        self.flush(target).await
    }

    /// Puts a row into the batch, or on the report, or leaves it out.
    fn take(
        &mut self,
        key: RowKey,
        row: UsageRow,
        as_of: &str,
        state: Option<&StateFile>,
    ) -> Result<(), CommandFailure> {
        if !row.closed {
            // A gateway that was started meanwhile shows hours as open until it knows what the other nodes have booked.
            let text = "an hour that was closed is shown as open: was the gateway started again?";
            return Err(CommandFailure::try_later("ledger", text));
        }
        if state.is_some_and(|state| state.is_acknowledged(&key)) {
            return Ok(());
        }
        let customer = self.customers.of(&key.tenant);
        let row = ExportRow {
            key,
            row,
            customer: customer.clone().unwrap_or_default(),
            step: self.plan.step,
            as_of: as_of.to_owned(),
        };
        let sent_ms = state.and_then(|state| state.sent_ms(&row.key));
        if let Some(reason) = self.plan.in_doubt(row.event_ms(), sent_ms, unix_ms()) {
            self.report.add(row.row.id, reason);
            return Ok(());
        }
        if customer.is_some() {
            self.batch.push(row);
        } else if self.skip_unknown {
            self.skipped += 1;
        } else {
            // Its hour was not closed when the first pass read the user's rows.
            let users: BTreeSet<TenantId> = [row.key.tenant].into();
            return Err(no_customer(&users));
        }
        Ok(())
    }

    async fn flush(&mut self, target: &mut ExportTarget<'_>) -> Result<(), CommandFailure> {
        let batch = std::mem::take(&mut self.batch);
        let done = target.deliver(self.plan, batch, &mut self.delivered).await;
        for (id, sent_ms) in done? {
            self.report.add(id, ReportReason::Sent(sent_ms));
        }
        Ok(())
    }
}

impl ExportPlan {
    /// Why a row must not be sent, if so. `sent_ms`: when it was sent first, if it was. All times are Unix milliseconds.
    pub(super) fn in_doubt(
        &self,
        event_ms: u64,
        sent_ms: Option<u64>,
        now_ms: u64,
    ) -> Option<ReportReason> {
        let is_old = self.rules.is_too_old(event_ms, now_ms);
        match sent_ms {
            Some(sent_ms) if is_old || !self.rules.is_remembered(sent_ms, now_ms, self.timeout) => {
                Some(ReportReason::Sent(sent_ms))
            }
            None if is_old => Some(ReportReason::TooOld),
            Some(_) | None => None,
        }
    }
}
