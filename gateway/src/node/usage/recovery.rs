//! Books what the journals of boots that are gone have.

use std::sync::atomic::Ordering;
use std::time::Duration;

use router_core::store::{StoreRequest, UsageQuery, UsageRecord, UsageReply};
use tokio::time::sleep;

use crate::node::core::Node;
use crate::usage::{DeadJournal, dead_journals};

/// Between two tries to book a record.
const RETRY: Duration = Duration::from_secs(1);

impl Node {
    /// Books all journals that are found, under the boots and numbers of their records: what was booked
    /// before is not booked again, whoever did it.
    pub(super) async fn recover_usage(&self) {
        let Some(folder) = self.usage.folder.clone() else {
            return;
        };
        let (own, cluster) = (self.view().own, self.usage.cluster_name.clone());
        let now_ms = self.unix_ms();
        let found =
            tokio::task::spawn_blocking(move || dead_journals(&folder, own, &cluster, now_ms));
        let journals = found.await.unwrap_or_default();
        let hours = journals.iter().flat_map(|journal| journal.records.iter());
        let oldest = hours.map(|(_, record)| record.hour.number()).min();
        self.usage
            .recovering
            .store(oldest.unwrap_or(u32::MAX), Ordering::Relaxed);
        for journal in journals {
            self.recover(journal).await;
        }
        self.usage.recovering.store(u32::MAX, Ordering::Relaxed);
    }

    async fn recover(&self, journal: DeadJournal) {
        let (mut booked, mut late) = (0u64, 0u64);
        for (tenant, record) in &journal.records {
            let is_late = self.book(tenant, record).await;
            match is_late {
                true => self.metrics.usage.late.increment(1),
                false => self.metrics.usage.booked.increment(1),
            }
            late += u64::from(is_late);
            booked += 1;
        }
        tracing::info!(
            boot = %journal.boot, records = booked, late,
            "usage of a boot that ended without booking it is booked"
        );
        if let Err(error) = journal.remove() {
            tracing::warn!(%error, "a journal of usage that is booked cannot be removed");
        }
    }

    /// Books a record, however long that takes. Says whether it is late.
    async fn book(&self, tenant: &protocol::TenantId, record: &UsageRecord) -> bool {
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
                Ok(UsageReply::Booked { is_late }) => return is_late,
                Ok(UsageReply::Hours { .. } | UsageReply::Seen(_)) | Err(_) => {
                    self.metrics.usage.failed.increment(1);
                    sleep(RETRY).await;
                }
            }
        }
    }
}
