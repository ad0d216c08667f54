//! The first pass over the ledger, in which nothing is sent.
//!
//! It finds rows without a customer before any row is sent. It also finds up to which hour the ledger is closed, so that
//! a second pass sees all rows before this hour.

use std::collections::BTreeSet;

use gateway::config::Config;
use protocol::{TenantId, UsageHour};

use super::clock::unix_ms;
use super::customers::CustomerMap;
use super::plan::ExportPlan;
use super::reading::read;
use super::row_key::{RowKey, RowSpace, middle_ms};
use super::state::StateFile;
use crate::failure::CommandFailure;

/// Most users that an error names.
const NAMED_USERS: usize = 10;

/// What the first pass found.
#[derive(Debug)]
pub(super) struct LedgerSurvey {
    /// The cluster of the rows. `None`: there are no rows.
    pub(super) space: Option<RowSpace>,
    /// Every period before it is closed.
    pub(super) closed_to: UsageHour,
}

impl LedgerSurvey {
    /// Reads every row of the plan.
    ///
    /// # Errors
    ///
    /// Exit 1: a row that is to be sent has no customer; the users are named. As the gateway answers.
    pub(super) async fn make(
        config: &Config,
        plan: &ExportPlan,
        (customers, skip_unknown): (&CustomerMap, bool),
        state: Option<&StateFile>,
    ) -> Result<Self, CommandFailure> {
        let mut survey = Self {
            space: None,
            closed_to: plan.to,
        };
        let mut unknown: BTreeSet<TenantId> = BTreeSet::new();
        let mut cursor = None;
        loop {
            let page = read(config, plan, (plan.from, plan.to), cursor.as_deref()).await?;
            survey.add_space(page.space)?;
            let closed_until = plan.step.start_of(page.closed_until);
            survey.closed_to = survey.closed_to.min(closed_until);
            for (key, _) in page.rows.into_iter().filter(|(_, row)| row.closed) {
                let is_done = state.is_some_and(|state| state.is_acknowledged(&key));
                if !skip_unknown && !is_done && customers.of(&key.tenant).is_none() {
                    unknown.extend(is_sendable(plan, &key).then_some(key.tenant));
                }
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        match unknown.is_empty() {
            true => Ok(survey),
            false => Err(no_customer(&unknown)),
        }
    }

    /// All rows are of one cluster, or the ids of some changed.
    fn add_space(&mut self, space: Option<RowSpace>) -> Result<(), CommandFailure> {
        if space.is_none() {
            return Ok(());
        }
        if self.space.is_some() && self.space != space {
            let text = "the ledger has rows of two clusters";
            return Err(CommandFailure::failed("cluster", text));
        }
        self.space = space;
        Ok(())
    }
}

fn is_sendable(plan: &ExportPlan, key: &RowKey) -> bool {
    let event_ms = middle_ms(key.from, plan.step);
    !plan.rules.is_too_old(event_ms, unix_ms())
}

/// The error for users who are not in the file with the customers.
pub(super) fn no_customer(users: &BTreeSet<TenantId>) -> CommandFailure {
    let named: Vec<_> = users
        .iter()
        .take(NAMED_USERS)
        .map(TenantId::as_str)
        .collect();
    let more = match users.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "--customers has no customer for {}{more}: add the users, or give --skip-unknown",
        named.join(", ")
    );
    CommandFailure::failed("no_customer", text)
}
