//! The rows of a page: reads the index and the ledger, and goes on where the page before ended.

use backplane::Backplane;
use protocol::http::{UsagePage, UsageRow, UsageStep};
use protocol::{TenantId, UsageHour, UsageMeter};
use router_core::store::usage::is_read_closed;
use router_core::store::{
    HourUsage, StoreRequest, StoreResult, UsageIndexQuery, UsageQuery, UsageReply,
};

use super::cursor::UsageCursor;
use super::window::UsageWindow;
use crate::node::Node;

/// Parts of the index that are read for one page: a page of a range without usage ends, too.
const PARTS_MAX: usize = 640;

/// Reads pages of usage.
pub(crate) struct UsageReader<'a> {
    backplane: &'a Backplane,
    cluster: &'a str,
    now_ms: u64,
    /// The first hour of which some node may still have usage that is not booked.
    flushed: UsageHour,
}

/// The rows of a page while it is made.
#[derive(Default)]
struct PageRows {
    rows: Vec<UsageRow>,
    /// The store's time, if it was asked.
    as_of_ms: Option<u64>,
    /// Where the page ends, if it is full.
    end: Option<UsageCursor>,
}

impl<'a> UsageReader<'a> {
    /// A reader of a node's ledger.
    pub(crate) fn new(node: &'a Node) -> Self {
        Self {
            backplane: &node.backplane,
            cluster: &node.usage.cluster_name,
            now_ms: node.unix_ms(),
            flushed: node.view().flushed(),
        }
    }

    /// One page. Errors: as the store answers.
    pub(crate) async fn page(&self, window: &UsageWindow) -> StoreResult<UsagePage> {
        let mut page = PageRows::default();
        let mut next = Some(window.first_part());
        for _ in 0..PARTS_MAX {
            let Some((day, part)) = next else { break };
            let tenants = match &window.tenant {
                Some(tenant) => vec![tenant.clone()],
                None => {
                    let query = UsageIndexQuery { day, part };
                    self.backplane.usage_index(query).await?
                }
            };
            for tenant in tenants {
                let is_over = window.is_over(day, part, &tenant);
                if !is_over
                    && self
                        .rows_of(window, (day, part), &tenant, &mut page)
                        .await?
                {
                    break;
                }
            }
            if page.end.is_some() {
                break;
            }
            next = window.part_after(day, part);
        }
        let end = page.end.or_else(|| {
            let (day, part) = next?;
            Some(UsageCursor {
                day,
                part,
                row: None,
            })
        });
        Ok(UsagePage {
            as_of: rfc3339_ms(page.as_of_ms.unwrap_or(self.now_ms)),
            rows: page.rows,
            next_cursor: end.map(|end| end.text(window.query_number())),
        })
    }

    /// Adds the rows of a tenant and day. Says whether the page is full.
    async fn rows_of(
        &self,
        window: &UsageWindow,
        (day, part): (UsageHour, u8),
        tenant: &TenantId,
        page: &mut PageRows,
    ) -> StoreResult<bool> {
        let from = window.from.max(day);
        let to = window.to.min(day.plus(UsageHour::PER_DAY));
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms: self.now_ms,
            query: UsageQuery::Read { from, to }.into(),
        };
        let reply = self.backplane.execute(request).await?;
        let UsageReply::Hours { as_of_ms, hours } = reply.into_usage()? else {
            return Ok(false);
        };
        page.as_of_ms = Some(page.as_of_ms.map_or(as_of_ms, |other| other.min(as_of_ms)));
        for (period, usage) in periods(window.step, day, hours) {
            let last = period.plus(window.step.hours() - 1);
            let closed = is_read_closed(last, as_of_ms, self.flushed);
            if !closed && !window.open {
                continue;
            }
            for meter in UsageMeter::ALL.iter().copied() {
                let is_wanted = window.meter.is_none_or(|wanted| wanted == meter);
                let amount = usage.counts[meter];
                if !is_wanted || amount == 0 || window.has_passed(tenant, period, meter) {
                    continue;
                }
                page.rows.push(UsageRow::new(
                    (self.cluster, tenant),
                    (window.step, period),
                    (meter, amount, usage.late[meter]),
                    closed,
                ));
                if page.rows.len() == window.limit {
                    page.end = Some(UsageCursor {
                        day,
                        part,
                        row: Some((tenant.clone(), period, meter.index())),
                    });
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// The hours as periods of a step.
fn periods(
    step: UsageStep,
    day: UsageHour,
    hours: Vec<(UsageHour, HourUsage)>,
) -> Vec<(UsageHour, HourUsage)> {
    if step == UsageStep::Hour || hours.is_empty() {
        return hours;
    }
    let mut sum = HourUsage::default();
    for (_, usage) in &hours {
        sum.counts.add(&usage.counts);
        sum.late.add(&usage.late);
    }
    vec![(day, sum)]
}

impl UsageWindow {
    /// The day and part of the index that the page begins with.
    fn first_part(&self) -> (UsageHour, u8) {
        let after = self.after.as_ref();
        after.map_or((self.from.day(), 0), |after| (after.day, after.part))
    }

    /// The day and part that come after these; `None`: none.
    fn part_after(&self, day: UsageHour, part: u8) -> Option<(UsageHour, u8)> {
        let parts = match self.tenant {
            Some(_) => 1,
            None => UsageIndexQuery::PARTS,
        };
        if part + 1 < parts {
            return Some((day, part + 1));
        }
        let day = day.plus(UsageHour::PER_DAY);
        (day < self.to).then_some((day, 0))
    }

    /// Whether all rows of a tenant were on pages before.
    fn is_over(&self, day: UsageHour, part: u8, tenant: &TenantId) -> bool {
        let last = self.last_row(day, part);
        last.is_some_and(|(last, ..)| tenant < last)
    }

    /// Whether a row of the first part was on a page before.
    fn has_passed(&self, tenant: &TenantId, period: UsageHour, meter: UsageMeter) -> bool {
        let after = self.after.as_ref().and_then(|after| after.row.as_ref());
        after.is_some_and(|(last, hour, index)| {
            tenant == last && (period, meter.index()) <= (*hour, *index)
        })
    }

    fn last_row(&self, day: UsageHour, part: u8) -> Option<&(TenantId, UsageHour, usize)> {
        let after = self.after.as_ref()?;
        let row = after.row.as_ref()?;
        ((after.day, after.part) == (day, part)).then_some(row)
    }
}

/// A time as RFC 3339 has it, with milliseconds.
fn rfc3339_ms(unix_ms: u64) -> String {
    let hour = UsageHour::of(unix_ms);
    let ms = unix_ms - hour.start_ms();
    let (minutes, seconds) = (ms / 60_000, ms % 60_000);
    let head = hour.rfc3339();
    let head = head.trim_end_matches("00:00Z");
    format!(
        "{head}{minutes:02}:{:02}.{:03}Z",
        seconds / 1000,
        seconds % 1000
    )
}
