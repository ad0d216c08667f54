//! A batch on its way: noted as sent, requested or printed, and noted as acknowledged.
//!
//! Before a batch leaves, its rows are in the state file as sent. After its answer they are acknowledged. A process that is
//! killed in between leaves rows that are sent: within the receiver's window the next export sends them again, and the
//! receiver ignores what it has; after the window they are reported.

use std::time::Duration;

use tokio::time::sleep;

use super::clock::unix_ms;
use super::plan::ExportPlan;
use super::post::{BatchVerdict, ReceiverClient};
use super::shapes::{CSV_HEAD, ExportRow, body, content_type};
use super::state::StateFile;
use crate::export_args::{ExportUsageArgs, ReceiverKind};
use crate::failure::CommandFailure;
use crate::out::{say, tell};

/// The longest wait between two attempts.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// A receiver that asks for a longer wait is left alone: a later export goes on.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5 * 60);

/// Where events go.
pub(super) enum EventOutlet {
    /// To standard output.
    Print,
    /// To the receiver.
    Post(Box<PostRetries>),
}

/// The receiver, and how often and when it is asked.
pub(super) struct PostRetries {
    client: ReceiverClient,
    attempts: u16,
    retry_wait: Duration,
}

/// Where events go, and where their state is kept.
pub(super) struct ExportTarget<'a> {
    pub(super) outlet: &'a mut EventOutlet,
    pub(super) state: Option<&'a mut StateFile>,
}

/// A batch, as far as it has come.
struct BatchProgress<'a> {
    rows: Vec<ExportRow>,
    /// Rows that were never sent before this batch.
    fresh: Vec<String>,
    /// Whether the receiver may have taken the rows in an attempt of this batch.
    is_in_doubt: bool,
    state: &'a mut StateFile,
}

/// Rows that were sent in vain until the receiver's window was over, and when they were sent first.
type OverdueRows = Vec<(String, u64)>;

impl EventOutlet {
    /// The outlet that the arguments ask for.
    ///
    /// # Errors
    ///
    /// Exit 64: the URL or a header is wrong.
    pub(super) fn new(args: &ExportUsageArgs, plan: &ExportPlan) -> Result<Self, CommandFailure> {
        let Some(url) = &args.post else {
            return Ok(Self::Print);
        };
        let client = ReceiverClient::new(url, &args.sending, content_type(plan.rules.kind))?;
        Ok(Self::Post(Box::new(PostRetries {
            client,
            attempts: args.sending.attempts,
            retry_wait: args.sending.retry_wait,
        })))
    }

    /// Prints what comes before all rows.
    pub(super) fn start(&self, plan: &ExportPlan) -> Result<(), CommandFailure> {
        match (self, plan.rules.kind) {
            (Self::Print, ReceiverKind::Csv) => say!("{CSV_HEAD}"),
            _ => Ok(()),
        }
    }
}

impl ExportTarget<'_> {
    /// Delivers a batch. `delivered` grows by each row that is acknowledged or printed.
    ///
    /// # Errors
    ///
    /// Exit 75: the receiver does not take the rows now. Exit 1: it refuses them; or the state cannot be written.
    pub(super) async fn deliver(
        &mut self,
        plan: &ExportPlan,
        rows: Vec<ExportRow>,
        delivered: &mut u64,
    ) -> Result<OverdueRows, CommandFailure> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let Some(state) = self.state.as_deref_mut() else {
            say!("{}", body(&plan.rules, &rows))?;
            *delivered += rows.len() as u64;
            return Ok(Vec::new());
        };
        let mut batch = BatchProgress::begin(rows, state)?;
        let retries = match self.outlet {
            EventOutlet::Post(retries) => retries,
            EventOutlet::Print => {
                say!("{}", body(&plan.rules, &batch.rows))?;
                *delivered += batch.acknowledge(|_| true)?;
                return Ok(Vec::new());
            }
        };
        retries.post(plan, &mut batch, delivered).await
    }
}

impl PostRetries {
    async fn post(
        &mut self,
        plan: &ExportPlan,
        batch: &mut BatchProgress<'_>,
        delivered: &mut u64,
    ) -> Result<OverdueRows, CommandFailure> {
        let mut overdue = Vec::new();
        let mut attempt = 0;
        while !batch.rows.is_empty() {
            // Before the first attempt too: a batch may have waited for its last row.
            overdue.extend(batch.take_overdue(plan));
            if batch.rows.is_empty() {
                break;
            }
            let (problem, asked_wait) = match self.attempt(plan, batch).await {
                BatchVerdict::Acknowledged => {
                    *delivered += batch.acknowledge(|_| true)?;
                    break;
                }
                BatchVerdict::Rest(known) => {
                    *delivered += batch.acknowledge(|index| known.contains(&index))?;
                    continue;
                }
                BatchVerdict::Refused(text, known) => {
                    *delivered += batch.acknowledge(|index| known.contains(&index))?;
                    batch.give_up()?;
                    return Err(CommandFailure::failed("receiver_refused", text));
                }
                BatchVerdict::Later(text, wait) => (text, wait),
                BatchVerdict::InDoubt(text, wait) => {
                    batch.is_in_doubt = true;
                    (text, wait)
                }
            };
            attempt += 1;
            let wait = asked_wait.unwrap_or_else(|| self.wait(attempt));
            if attempt >= self.attempts || wait > RETRY_AFTER_MAX {
                batch.give_up()?;
                return Err(CommandFailure::try_later("receiver_unavailable", problem));
            }
            tell!(
                "the receiver does not take a batch ({problem}); next attempt in {:.1} s",
                wait.as_secs_f64()
            );
            sleep(wait).await;
        }
        Ok(overdue)
    }

    async fn attempt(&mut self, plan: &ExportPlan, batch: &BatchProgress<'_>) -> BatchVerdict {
        let kind = plan.rules.kind;
        let text = body(&plan.rules, &batch.rows);
        let ids: Vec<_> = batch.rows.iter().map(ExportRow::event_id).collect();
        let outcome = self.client.post(text).await;
        let shown = |body: &[u8]| self.client.shown(body);
        BatchVerdict::of(&outcome, kind, (&ids, plan.rules.takes_lists), shown)
    }

    /// Doubles with each attempt. A random part of up to a half keeps many exporters apart.
    fn wait(&self, attempt: u16) -> Duration {
        let doubled = self
            .retry_wait
            .saturating_mul(1 << attempt.saturating_sub(1).min(16));
        doubled.min(WAIT_MAX).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

impl<'a> BatchProgress<'a> {
    /// Notes that the rows are about to be sent.
    fn begin(rows: Vec<ExportRow>, state: &'a mut StateFile) -> Result<Self, CommandFailure> {
        let fresh = rows.iter().filter(|row| state.sent_ms(&row.key).is_none());
        let fresh: Vec<_> = fresh.map(|row| row.row.id.clone()).collect();
        state.mark_sent(fresh.clone(), unix_ms())?;
        Ok(Self {
            rows,
            fresh,
            is_in_doubt: false,
            state,
        })
    }

    /// Notes that the receiver has the rows at these indexes, and takes them off the batch. Says how many they are.
    fn acknowledge(&mut self, is_known: impl Fn(usize) -> bool) -> Result<u64, CommandFailure> {
        let mut known = Vec::new();
        let mut rest = Vec::new();
        for (index, row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            match is_known(index) {
                true => known.push(row.row.id),
                false => rest.push(row),
            }
        }
        self.rows = rest;
        let count = known.len() as u64;
        self.state.acknowledge(known)?;
        Ok(count)
    }

    /// Takes the rows off the batch which the receiver may not remember when the next attempt arrives.
    fn take_overdue(&mut self, plan: &ExportPlan) -> OverdueRows {
        let now_ms = unix_ms();
        let mut overdue = Vec::new();
        for row in std::mem::take(&mut self.rows) {
            let sent_ms = self.state.sent_ms(&row.key);
            // A row that the receiver has certainly not taken is not bound to the window.
            let is_bound = self.is_in_doubt || !self.fresh.contains(&row.row.id);
            match sent_ms.filter(|_| is_bound) {
                Some(sent_ms)
                    if plan
                        .in_doubt(row.event_ms(), Some(sent_ms), now_ms)
                        .is_some() =>
                {
                    overdue.push((row.row.id, sent_ms));
                }
                Some(_) | None => self.rows.push(row),
            }
        }
        overdue
    }

    /// Nobody tries these rows again in this export. Those that the receiver certainly does not have are pending again.
    fn give_up(&mut self) -> Result<(), CommandFailure> {
        if self.is_in_doubt {
            return Ok(());
        }
        let rows = self.rows.iter().map(|row| row.row.id.clone());
        let free: Vec<_> = rows.filter(|id| self.fresh.contains(id)).collect();
        self.state.release(free)
    }
}
