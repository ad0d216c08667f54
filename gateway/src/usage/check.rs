//! Checks the ledger: the sums that hold for every tenant and hour, and what this node knows of its own
//! records.

use protocol::{BootId, TenantId, UsageHour, UsageMeter};
use router_core::store::{StoreFailure, StoreResult, UsageQuery, UsageReply};
use serde::Serialize;

use super::cursor::UsageCursor;
use super::reader::{HoursRead, PageMaker, UsageReader};
use super::window::UsageWindow;
use crate::node::Node;

/// A page ends behind the day of a tenant with which it has so many faults.
const FAULTS_MAX: usize = 1000;

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

/// Something that is wrong with a tenant's ledger.
#[derive(Debug, Serialize)]
struct LedgerFault {
    tenant: TenantId,
    /// The hour, RFC 3339; absent: it is about no hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<String>,
    what: String,
}

/// A day without any hour is a fault if it is not older, days: the ledger keeps hours for at least 32.
const WHOLE_DAYS: u32 = 31;

/// Faults while they are gathered.
struct FaultFinder<'a> {
    window: &'a UsageWindow,
    hours: usize,
    faults: Vec<LedgerFault>,
    tenants: Vec<TenantId>,
}

impl PageMaker for FaultFinder<'_> {
    fn take(
        &mut self,
        tenant: &TenantId,
        (day, part): (UsageHour, u8),
        read: HoursRead,
    ) -> Option<UsageCursor> {
        // The page before ended behind the last hour of a tenant's day.
        let last = (day.plus(UsageHour::PER_DAY - 1), UsageMeter::ALL[0]);
        if self.window.has_passed(tenant, last.0, last.1) {
            return None;
        }
        self.tenants.push(tenant.clone());
        let oldest = UsageHour::of(read.as_of_ms).minus(WHOLE_DAYS * UsageHour::PER_DAY);
        if read.hours.is_empty() && self.window.has_day(day) && day > oldest {
            // Who asks for one tenant has not read the index.
            self.faults.extend(self.window.tenant.is_none().then(|| {
                LedgerFault {
                    tenant: tenant.clone(),
                    hour: Some(day.rfc3339()),
                    what: "the index has the tenant on this day, and the ledger has no hour of it"
                        .to_owned(),
                }
            }));
        }
        for (hour, usage) in read.hours {
            self.hours += 1;
            let mut fault = |what: String| {
                self.faults.push(LedgerFault {
                    tenant: tenant.clone(),
                    hour: Some(hour.rfc3339()),
                    what,
                });
            };
            if let Err(sum) = usage.counts.conserve() {
                fault(sum.to_string());
            }
            if !usage.is_intact() {
                fault("an amount was changed or lost: the check number is wrong".to_owned());
            }
        }
        (self.faults.len() >= FAULTS_MAX).then(|| UsageCursor {
            day,
            part,
            row: Some((tenant.clone(), last.0, last.1.index())),
        })
    }
}

impl UsageReader<'_> {
    /// Checks the hours of a window. Errors: as the store answers.
    pub(crate) async fn check(&self, node: &Node, window: &UsageWindow) -> StoreResult<CheckPage> {
        let mut found = FaultFinder {
            window,
            hours: 0,
            faults: Vec::new(),
            tenants: Vec::new(),
        };
        let end = self.walk(window, &mut found).await?;
        let mut tenants = std::mem::take(&mut found.tenants);
        tenants.sort_unstable();
        tenants.dedup();
        for tenant in tenants {
            found.faults.extend(self.check_own(node, tenant).await?);
        }
        Ok(CheckPage {
            hours: found.hours,
            faults: found.faults,
            next_cursor: end.map(|end| end.text(window.cursor_query())),
        })
    }

    /// Whether the ledger still has the last record that it answered this node for.
    async fn check_own(&self, node: &Node, tenant: TenantId) -> StoreResult<Option<LedgerFault>> {
        // First what is known here: the ledger may have more by the time it answers, never less.
        let Some((boot, seq)) = node.booked_seq(&tenant) else {
            return Ok(None);
        };
        let UsageReply::Seen(seen) = self.ask(&tenant, UsageQuery::Seen).await? else {
            return Err(StoreFailure::Lost);
        };
        let last = last_of(boot, &seen);
        Ok((last < seq).then(|| LedgerFault {
            tenant,
            hour: None,
            what: format!(
                "the store lost records: its last one of the boot {boot} is {last}, and it answered {seq}"
            ),
        }))
    }
}

fn last_of(boot: BootId, seen: &[(BootId, u64)]) -> u64 {
    let last = seen.iter().find(|(of, _)| *of == boot);
    last.map_or(0, |(_, seq)| *seq)
}
