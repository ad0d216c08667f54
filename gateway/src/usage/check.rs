//! Checks the ledger: the sums that hold for every tenant and hour, and what this node knows of its own
//! records.

use std::ops::Range;

use protocol::limits::USAGE_SEEN_HOURS;
use protocol::{BootId, TenantId, UsageHour, UsageMeter};
use router_core::shard::BookedRecord;
use router_core::store::{StoreFailure, UsageIndexQuery, UsageQuery, UsageReply};
use serde::Serialize;

use super::cursor::UsageCursor;
use super::failure::PageFailure;
use super::reader::{HoursRead, PageMaker, UsageReader};
use super::window::UsageWindow;
use crate::node::{Node, StoreLoss};

/// A page ends behind the day of a tenant with which it has so many faults.
const FAULTS_MAX: usize = 1000;

/// What is said of an hour that is damaged.
const DAMAGED: &str = "the hour cannot be read: its key is no hash, or an amount is no number";

/// What was checked, and what is wrong.
#[derive(Debug, Serialize)]
pub(crate) struct CheckPage {
    /// Hours of tenants that were looked at.
    hours: usize,
    faults: Vec<LedgerFault>,
    /// Asks for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Something that is wrong with the ledger.
#[derive(Debug, Serialize)]
struct LedgerFault {
    /// Absent: it is about all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
    /// The hour, RFC 3339; if the store lost something, the last hour of which it may lack something.
    hour: String,
    what: String,
}

/// Faults while they are gathered.
struct FaultFinder<'a> {
    window: &'a UsageWindow,
    hours: usize,
    faults: Vec<LedgerFault>,
}

impl FaultFinder<'_> {
    /// Whether the store lost what it had of the range: on the first page, so that it is said once.
    fn find_loss(&mut self, loss: Option<StoreLoss>) {
        let is_first = self.window.after.is_none();
        let loss = loss.filter(|loss| is_first && self.window.from <= loss.hour);
        self.faults.extend(loss.map(|loss| LedgerFault {
            tenant: None,
            hour: loss.hour.rfc3339(),
            what: format!(
                "the store lost its data: its generation changed from {} to {}",
                loss.old, loss.new
            ),
        }));
    }
}

impl PageMaker for FaultFinder<'_> {
    fn take(
        &mut self,
        tenant: &TenantId,
        (day, part): (UsageHour, u8),
        read: HoursRead,
    ) -> Result<Option<UsageCursor>, PageFailure> {
        // The page before ended behind the last hour of a tenant's day.
        let last = (day.plus(UsageHour::PER_DAY - 1), UsageMeter::ALL[0]);
        if self.window.has_passed(tenant, last.0, last.1) {
            return Ok(None);
        }
        // A day may have the tenant in its index and no hour: its usage was late, or waits to be booked.
        for (hour, usage) in read.hours {
            self.hours += 1;
            let mut fault = |what: String| {
                self.faults.push(LedgerFault {
                    tenant: Some(tenant.clone()),
                    hour: hour.rfc3339(),
                    what,
                });
            };
            if usage.is_damaged {
                fault(DAMAGED.to_owned());
                continue;
            }
            if let Err(sum) = usage.counts.conserve() {
                fault(sum.to_string());
            }
            if !usage.is_intact() {
                fault("an amount was changed or lost: the check number is wrong".to_owned());
            }
        }
        Ok((self.faults.len() >= FAULTS_MAX).then(|| UsageCursor {
            day,
            part,
            row: Some((tenant.clone(), last.0, last.1.index())),
        }))
    }
}

impl UsageReader<'_> {
    /// Checks the hours of a window. Errors: as the store answers.
    pub(crate) async fn check(
        &self,
        node: &Node,
        window: &UsageWindow,
    ) -> Result<CheckPage, PageFailure> {
        let mut found = FaultFinder {
            window,
            hours: 0,
            faults: Vec::new(),
        };
        found.find_loss(node.usage.loss.last());
        let end = self.walk(window, &mut found).await?;
        for (tenant, record) in booked_records(node, window, end.as_ref()) {
            let fault = self.check_own(tenant, record).await?;
            found.faults.extend(fault);
        }
        Ok(CheckPage {
            hours: found.hours,
            faults: found.faults,
            next_cursor: end.map(|end| end.text(window.cursor_query())),
        })
    }

    /// Whether the ledger still has the last record that it answered this node for.
    async fn check_own(
        &self,
        tenant: TenantId,
        record: BookedRecord,
    ) -> Result<Option<LedgerFault>, PageFailure> {
        let BookedRecord { boot, seq, hour } = record;
        // What is known here was known before: the ledger may have more by the time it answers, never less.
        let what = match self.ask(&tenant, UsageQuery::Seen).await {
            Ok(UsageReply::Seen(seen)) => {
                let last = last_of(boot, &seen);
                (last < seq).then(|| {
                    format!(
                        "the store lost records: its last one of the boot {boot} is {last}, and it answered {seq}"
                    )
                })
            }
            Ok(_) => return Err(StoreFailure::Lost.into()),
            Err(StoreFailure::Damaged) => {
                Some("which records are booked cannot be read".to_owned())
            }
            Err(failure) => return Err(failure.into()),
        };
        Ok(what.map(|what| LedgerFault {
            tenant: Some(tenant),
            hour: hour.rfc3339(),
            what,
        }))
    }
}

/// What this node knows of the tenants whose parts of the index a page begins with, so that each is checked once.
/// `end`: of the page. In the order of the tenants.
fn booked_records(
    node: &Node,
    window: &UsageWindow,
    end: Option<&UsageCursor>,
) -> Vec<(TenantId, BookedRecord)> {
    let parts = parts_begun(window, end);
    // The store forgets what a boot booked 7 days ago. One day less, since the answer may have come later.
    let oldest = UsageHour::of(node.unix_ms()).minus(USAGE_SEEN_HOURS - UsageHour::PER_DAY);
    let mut records = node.booked_records(|tenant, record| {
        let part = match &window.tenant {
            Some(wanted) if wanted == tenant => 0,
            Some(_) => return false,
            None => UsageIndexQuery::part_of(tenant),
        };
        // If the last record is lost, what was booked before it may be, too.
        parts.contains(&part) && record.hour >= window.from.max(oldest)
    });
    records.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    records
}

/// The parts of the first day that a page begins. A page that ends within a part has begun it.
fn parts_begun(window: &UsageWindow, end: Option<&UsageCursor>) -> Range<u8> {
    let begun = |cursor: &UsageCursor| {
        let is_first = cursor.day == window.from.day();
        match is_first {
            true => cursor.part + u8::from(cursor.row.is_some()),
            false => UsageIndexQuery::PARTS,
        }
    };
    let first = window.after.as_ref().map_or(0, begun);
    first..end.map_or(UsageIndexQuery::PARTS, begun)
}

fn last_of(boot: BootId, seen: &[(BootId, u64)]) -> u64 {
    let last = seen.iter().find(|(of, _)| *of == boot);
    last.map_or(0, |(_, seq)| *seq)
}
