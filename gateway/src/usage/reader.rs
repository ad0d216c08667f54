//! The rows of a page: reads the index and the ledger, and goes on where the page before ended.

use backplane::Backplane;
use protocol::http::{UsagePage, UsageRow, UsageStep};
use protocol::{TenantId, UsageHour, UsageMeter};
use router_core::store::usage::{is_read_closed, read_closed_until};
use router_core::store::{
    HourUsage, StoreFailure, StoreRequest, StoreResult, UsageIndexQuery, UsageQuery, UsageReply,
};

use super::cursor::UsageCursor;
use super::failure::PageFailure;
use super::window::UsageWindow;
use crate::node::Node;

/// With it, all rows of a period are passed.
const LAST_METER: UsageMeter = UsageMeter::ALL[UsageMeter::COUNT - 1];
/// Parts of the index that are read for one page: a page of a range without usage ends, too.
const PARTS_MAX: usize = 640;

/// Reads pages of usage.
pub(crate) struct UsageReader<'a> {
    backplane: &'a Backplane,
    cluster: &'a str,
    now_ms: u64,
    /// The first hour of which some node may still book usage.
    flushed: UsageHour,
}

/// What a page is made of, tenant by tenant and day by day.
pub(super) trait PageMaker {
    /// Takes the hours of a tenant and day that have something. `day`: the day, and the part of its index.
    /// Returns where the page ends, if it is full. Errors: there is no page.
    fn take(
        &mut self,
        tenant: &TenantId,
        day: (UsageHour, u8),
        read: HoursRead,
    ) -> Result<Option<UsageCursor>, PageFailure>;
}

/// What the ledger said of a tenant and day.
pub(super) struct HoursRead {
    /// The store's time, Unix milliseconds.
    pub as_of_ms: u64,
    pub hours: Vec<(UsageHour, HourUsage)>,
}

impl<'a> UsageReader<'a> {
    /// A reader of a node's ledger.
    pub(crate) fn new(node: &'a Node) -> Self {
        let now_ms = node.unix_ms();
        Self {
            backplane: &node.backplane,
            cluster: &node.usage.cluster_name,
            now_ms,
            flushed: node.usage.closed.flushed(now_ms, node.view().flushed()),
        }
    }

    /// One page of rows. Errors: as the store answers; it would have rows of a damaged hour.
    pub(crate) async fn page(&self, window: &UsageWindow) -> Result<UsagePage, PageFailure> {
        let mut page = RowPage {
            window,
            cluster: self.cluster,
            flushed: self.flushed,
            rows: Vec::new(),
            as_of_ms: self.now_ms,
        };
        let end = self.walk(window, &mut page).await?;
        Ok(UsagePage {
            as_of: rfc3339_ms(page.as_of_ms),
            closed_until: read_closed_until(self.now_ms, self.flushed).rfc3339(),
            rows: page.rows,
            next_cursor: end.map(|end| end.text(window.cursor_query())),
        })
    }

    /// Reads the tenants of each day, from where the page before ended. Returns where this one ends, if there
    /// may be more.
    pub(super) async fn walk(
        &self,
        window: &UsageWindow,
        maker: &mut impl PageMaker,
    ) -> Result<Option<UsageCursor>, PageFailure> {
        let mut next = Some(window.first_part());
        for _ in 0..PARTS_MAX {
            let Some((day, part)) = next else { break };
            for tenant in self.tenants(window, day, part).await? {
                if window.is_over(day, part, &tenant) {
                    continue;
                }
                let read = self.read(window, day, &tenant).await?;
                let end = maker.take(&tenant, (day, part), read)?;
                if end.is_some() {
                    return Ok(end);
                }
            }
            next = window.part_after(day, part);
        }
        Ok(next.map(|(day, part)| UsageCursor {
            day,
            part,
            row: None,
        }))
    }

    async fn tenants(
        &self,
        window: &UsageWindow,
        day: UsageHour,
        part: u8,
    ) -> StoreResult<Vec<TenantId>> {
        match &window.tenant {
            Some(tenant) => Ok(vec![tenant.clone()]),
            None => {
                let query = UsageIndexQuery { day, part };
                self.backplane.usage_index(query).await
            }
        }
    }

    async fn read(
        &self,
        window: &UsageWindow,
        day: UsageHour,
        tenant: &TenantId,
    ) -> StoreResult<HoursRead> {
        let from = window.from.max(day);
        let to = window.to.min(day.plus(UsageHour::PER_DAY));
        let reply = self.ask(tenant, UsageQuery::Read { from, to }).await?;
        let UsageReply::Hours { as_of_ms, hours } = reply else {
            return Err(StoreFailure::Lost);
        };
        Ok(HoursRead { as_of_ms, hours })
    }

    /// Asks the ledger about a tenant.
    pub(super) async fn ask(
        &self,
        tenant: &TenantId,
        query: UsageQuery,
    ) -> StoreResult<UsageReply> {
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms: self.now_ms,
            query: query.into(),
        };
        let reply = self.backplane.execute(request).await?;
        reply.into_usage()
    }
}

/// Rows while they are gathered.
struct RowPage<'a> {
    window: &'a UsageWindow,
    cluster: &'a str,
    flushed: UsageHour,
    rows: Vec<UsageRow>,
    as_of_ms: u64,
}

impl PageMaker for RowPage<'_> {
    fn take(
        &mut self,
        tenant: &TenantId,
        (day, part): (UsageHour, u8),
        read: HoursRead,
    ) -> Result<Option<UsageCursor>, PageFailure> {
        let window = self.window;
        self.as_of_ms = self.as_of_ms.min(read.as_of_ms);
        let damaged = read.hours.iter().filter(|(_, usage)| usage.is_damaged);
        let damaged: Vec<UsageHour> = damaged.map(|(hour, _)| *hour).collect();
        for (period, usage) in periods(window.step, day, read.hours) {
            let last = period.plus(window.step.hours() - 1);
            let closed = is_read_closed(last, read.as_of_ms, self.flushed);
            if !closed && !window.open {
                continue;
            }
            let is_of_page = !window.has_passed(tenant, period, LAST_METER);
            let mut damaged = damaged.iter().filter(|hour| (period..=last).contains(hour));
            if let Some(hour) = damaged.next().filter(|_| is_of_page) {
                return Err(PageFailure::DamagedHour(tenant.clone(), *hour));
            }
            for meter in UsageMeter::ALL.iter().copied() {
                let is_wanted = window.meter.is_none_or(|wanted| wanted == meter);
                let amount = usage.counts[meter];
                if !is_wanted || amount == 0 || window.has_passed(tenant, period, meter) {
                    continue;
                }
                self.rows.push(UsageRow::new(
                    (self.cluster, tenant),
                    (window.step, period),
                    (meter, amount, usage.late[meter]),
                    closed,
                ));
                if self.rows.len() == window.limit {
                    return Ok(Some(UsageCursor {
                        day,
                        part,
                        row: Some((tenant.clone(), period, meter.index())),
                    }));
                }
            }
        }
        Ok(None)
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

/// A time as RFC 3339 has it, with milliseconds.
pub(crate) fn rfc3339_ms(unix_ms: u64) -> String {
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
