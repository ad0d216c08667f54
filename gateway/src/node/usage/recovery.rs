//! Books what the journals of boots that are gone have.

use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::{TenantId, UsageHour};
use router_core::Millis;
use router_core::store::usage::damage_holds_hours;
use router_core::store::{StoreFailure, StoreRequest, UsageQuery, UsageRecord, UsageReply};
use tokio::time::sleep;

use crate::node::core::Node;
use crate::usage::{DeadJournal, dead_journals};

/// Between two tries to book a record.
const RETRY: Duration = Duration::from_secs(1);

impl Node {
    /// Books all journals that are found, under the boots and numbers of their records: what was booked
    /// before is not booked again, whoever did it. Tenants whose usage in the store is damaged are tried again and
    /// again, after all others; until then their journals stay.
    pub(super) async fn recover_usage(&self) {
        let Some(folder) = self.usage.folder.clone() else {
            return;
        };
        let (own, cluster) = (self.view().own, self.usage.cluster_name.clone());
        let now_ms = self.unix_ms();
        let found =
            tokio::task::spawn_blocking(move || dead_journals(&folder, own, &cluster, now_ms));
        let mut journals = found.await.unwrap_or_default();
        let mut damaged_ms = None;
        loop {
            let records = journals.iter().flat_map(|journal| &journal.records);
            let hours = records.map(|(_, record)| record.hour);
            let held = held_hour(hours, damaged_ms, self.now_ms());
            self.usage.recovering.store(held, Ordering::Relaxed);
            if journals.is_empty() {
                return;
            }
            if damaged_ms.is_some() {
                sleep(RETRY).await;
            }
            journals = self.recover_all(journals).await;
            damaged_ms = damaged_ms.or(Some(self.now_ms()));
        }
    }

    /// Returns the journals that are not booked as a whole.
    async fn recover_all(&self, journals: Vec<DeadJournal>) -> Vec<DeadJournal> {
        let mut left = Vec::new();
        for journal in journals {
            let Some(mut journal) = journal.unless_old(self.unix_ms()) else {
                continue;
            };
            self.recover(&mut journal).await;
            if !journal.records.is_empty() {
                left.push(journal);
            } else if let Err(error) = journal.remove() {
                tracing::warn!(%error, "a journal of usage that is booked cannot be removed");
            }
        }
        left
    }

    /// Books the records of a journal. Those of tenants whose usage is damaged are left.
    async fn recover(&self, journal: &mut DeadJournal) {
        let (mut booked, mut late) = (0u64, 0u64);
        let mut left: Vec<(TenantId, UsageRecord)> = Vec::new();
        for (tenant, record) in std::mem::take(&mut journal.records) {
            // The ledger ignores a record once it has a later one of the boot, so what follows waits too.
            let is_behind = left.last().is_some_and(|(last, _)| *last == tenant);
            let is_late = match is_behind {
                true => None,
                false => self.book(&tenant, &record).await,
            };
            match is_late {
                Some(is_late) => {
                    late += u64::from(is_late);
                    booked += 1;
                }
                None => left.push((tenant, record)),
            }
        }
        journal.records = left;
        if booked > 0 || journal.records.is_empty() {
            tracing::info!(
                boot = %journal.boot, records = booked, late, left = journal.records.len(),
                "usage of a boot that ended without booking it is booked"
            );
        }
    }

    /// Books a record, however long the store is away. Says whether it is late. `None`: what the store has of the
    /// tenant is damaged.
    async fn book(&self, tenant: &TenantId, record: &UsageRecord) -> Option<bool> {
        let metrics = &self.metrics.usage;
        loop {
            let request = StoreRequest {
                tenant: tenant.clone(),
                now_ms: self.unix_ms(),
                query: UsageQuery::Book {
                    record: Box::new(record.clone()),
                    is_first_of_day: true,
                }
                .into(),
            };
            let reply = self.backplane.execute(request).await;
            match reply.and_then(|reply| reply.into_usage()) {
                Ok(UsageReply::Booked { is_late }) => {
                    match is_late {
                        true => metrics.late.increment(1),
                        false => metrics.booked.increment(1),
                    }
                    return Some(is_late);
                }
                Err(StoreFailure::Damaged) => {
                    metrics.failed.increment(1);
                    return None;
                }
                Ok(UsageReply::Hours { .. } | UsageReply::Seen(_))
                | Err(StoreFailure::Lost | StoreFailure::Refused(_)) => {
                    metrics.failed.increment(1);
                    sleep(RETRY).await;
                }
            }
        }
    }
}

/// The first hour that journals keep from reading as closed, as a number; `u32::MAX`: none. `hours`: of what they have.
/// `damaged_ms`: since when only tenants whose usage is damaged are left, if so.
fn held_hour(
    hours: impl Iterator<Item = UsageHour>,
    damaged_ms: Option<Millis>,
    now_ms: Millis,
) -> u32 {
    let holds = damaged_ms.is_none_or(|since_ms| damage_holds_hours(since_ms, now_ms));
    let first = hours.map(UsageHour::number).min();
    first.filter(|_| holds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use protocol::limits::USAGE_CLOSE_MS;

    use super::*;

    #[test]
    fn damaged_usage_holds_hours_for_as_long_as_an_hour_takes_to_close() {
        let first = UsageHour::parse("2026112809").unwrap();
        let hours = || [first.plus(1), first].into_iter();
        for (damaged_ms, now_ms, held) in [
            (None, 24 * USAGE_CLOSE_MS, first.number()),
            (Some(5), 5, first.number()),
            (Some(5), 4 + USAGE_CLOSE_MS, first.number()),
            (Some(5), 5 + USAGE_CLOSE_MS, u32::MAX),
        ] {
            assert_eq!(held_hour(hours(), damaged_ms, now_ms), held, "{now_ms}");
            let nothing = std::iter::empty();
            assert_eq!(held_hour(nothing, damaged_ms, now_ms), u32::MAX);
        }
    }
}
