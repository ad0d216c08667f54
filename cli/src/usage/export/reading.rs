//! Rows of a plan, page by page, open rows too.

use gateway::config::Config;
use protocol::UsageHour;
use protocol::http::UsageRow;

use super::plan::ExportPlan;
use super::row_key::{RowKey, RowSpace};
use crate::failure::CommandFailure;
use crate::usage::pages::one_page;

/// A page of rows that the plan asks for, open and closed.
pub(super) struct RowPage {
    pub(super) rows: Vec<(RowKey, UsageRow)>,
    /// What time it was in the ledger, RFC 3339.
    pub(super) as_of: String,
    /// The first hour that may still change.
    pub(super) closed_until: UsageHour,
    /// `None`: it is the last page.
    pub(super) cursor: Option<String>,
    /// The cluster and step of the rows. `None`: the page has none.
    pub(super) space: Option<RowSpace>,
}

/// Reads the page after a cursor.
///
/// # Errors
///
/// As the gateway answers. Exit 1: a row has not the shape of one.
pub(super) async fn read(
    config: &Config,
    plan: &ExportPlan,
    (from, to): (UsageHour, UsageHour),
    cursor: Option<&str>,
) -> Result<RowPage, CommandFailure> {
    let page = one_page(
        config,
        &plan.query(from, to),
        (plan.step_name(), true),
        cursor,
    )
    .await?;
    let closed_until = UsageHour::parse_time(&page.closed_until).ok_or_else(|| {
        CommandFailure::failed("admin", format!("no hour: {}", page.closed_until))
    })?;
    let mut rows = Vec::new();
    let mut space: Option<RowSpace> = None;
    for row in page.rows {
        let strange = || CommandFailure::failed("admin", format!("no id of a row: {}", row.id));
        if space.is_none() {
            space = RowSpace::of(&row, plan.step);
        }
        let key = space.as_ref().and_then(|space| space.parse(&row.id));
        let key = key.ok_or_else(strange)?;
        let is_whole = key.tenant.as_str() == row.tenant && key.meter == row.meter;
        if !is_whole || key.from.rfc3339() != row.from || row.amount().is_none() {
            return Err(strange());
        }
        if plan.meters.contains(&key.meter) {
            rows.push((key, row));
        }
    }
    Ok(RowPage {
        rows,
        as_of: page.as_of,
        closed_until,
        cursor: page.next_cursor,
        space,
    })
}
