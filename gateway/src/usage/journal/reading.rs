//! What a journal has that is not booked.

use std::collections::BTreeMap;

use protocol::{BootId, TenantId};
use router_core::store::UsageRecord;

use super::format::{JournalHead, JournalWrite, MAGIC, TenantEntry, VERSION, take_block};

/// What was read of a journal.
#[derive(Debug)]
pub(super) struct JournalContent {
    pub boot: BootId,
    /// The records of each tenant, in the order of their numbers.
    pub records: Vec<(TenantId, UsageRecord)>,
    /// When the last write was, Unix milliseconds; 0: there is none.
    pub last_ms: u64,
    /// Whether something follows that is no block.
    pub is_torn: bool,
}

/// Why nothing of a journal is booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum JournalError {
    /// It has no head that can be read.
    #[error("it is no journal of usage, or its head is damaged")]
    Head,
    /// Another build wrote it.
    #[error("it has version {0}, and this build reads version {VERSION}")]
    Version(u32),
    /// It belongs to another ledger.
    #[error("it is of the cluster {0}")]
    Cluster(String),
}

/// Reads the bytes of a journal.
pub(super) fn read(mut bytes: &[u8], cluster: &str) -> Result<JournalContent, JournalError> {
    bytes = bytes.strip_prefix(MAGIC).ok_or(JournalError::Head)?;
    let head = take_block(&mut bytes).ok_or(JournalError::Head)?;
    let head = head_of(head)?;
    if head.cluster != cluster {
        return Err(JournalError::Cluster(head.cluster));
    }
    let boot = head.boot.parse().map_err(|_| JournalError::Head)?;
    let mut tenants: BTreeMap<TenantId, TenantEntry> = BTreeMap::new();
    let (mut last_ms, mut last_boot) = (0, boot);
    while let Some(content) = take_block(&mut bytes) {
        let Ok(write) = rmp_serde::from_slice::<JournalWrite>(content) else {
            break;
        };
        last_ms = write.unix_ms;
        last_boot = write.boot.parse().unwrap_or(last_boot);
        let entries = write.tenants.into_iter();
        tenants.extend(entries.map(|entry| (entry.tenant.clone(), entry)));
    }
    let mut records = Vec::new();
    for (tenant, entry) in tenants {
        let recovered = head.unbooked(&entry).recovered(last_boot, last_ms);
        records.extend(recovered.map(|record| (tenant.clone(), record)));
    }
    Ok(JournalContent {
        boot,
        records,
        last_ms,
        is_torn: !bytes.is_empty(),
    })
}

/// The version stands first, so that it can be read of every version.
fn head_of(content: &[u8]) -> Result<JournalHead, JournalError> {
    match rmp_serde::from_slice::<JournalHead>(content) {
        Ok(head) if head.version == VERSION => Ok(head),
        Ok(head) => Err(JournalError::Version(head.version)),
        Err(_) => {
            let mut content = content;
            let version = rmp::decode::read_array_len(&mut content).ok();
            let version = version.and_then(|_| rmp::decode::read_int(&mut content).ok());
            Err(version.map_or(JournalError::Head, JournalError::Version))
        }
    }
}
