//! Checks the ledger: the sums that hold for every tenant and hour, and what this node knows of its own
//! records.

use protocol::{BootId, TenantId, UsageHour};
use router_core::store::{StoreFailure, StoreResult, UsageQuery, UsageReply};
use serde::Serialize;

use super::cursor::UsageCursor;
use super::reader::{HoursRead, PageMaker, UsageReader};
use super::window::UsageWindow;
use crate::node::Node;

/// Faults of one page; more are not looked for.
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

/// Faults while they are gathered.
#[derive(Default)]
struct FaultFinder {
    hours: usize,
    faults: Vec<LedgerFault>,
    tenants: Vec<TenantId>,
}

impl PageMaker for FaultFinder {
    fn take(
        &mut self,
        tenant: &TenantId,
        (day, part): (UsageHour, u8),
        read: HoursRead,
    ) -> Option<UsageCursor> {
        self.tenants.push(tenant.clone());
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
        (self.faults.len() >= FAULTS_MAX).then_some(UsageCursor {
            day,
            part: part + 1,
            row: None,
        })
    }
}

impl UsageReader<'_> {
    /// Checks the hours of a window. Errors: as the store answers.
    pub(crate) async fn check(&self, node: &Node, window: &UsageWindow) -> StoreResult<CheckPage> {
        let mut found = FaultFinder::default();
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
            next_cursor: end.map(|end| end.text(window.query_number())),
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
