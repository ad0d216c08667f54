//! The last booked records of tenants that are not here any more.

use std::collections::BTreeMap;

use protocol::TenantId;

use super::BookedRecord;

/// Most tenants that are remembered: 16,384 with the 32 shards of a node, about 2 MB.
const TENANTS_MAX: usize = 512;

/// The last booked record of each tenant that was forgotten. Full: the one that was booked first goes.
#[derive(Debug, Default)]
pub(super) struct BookedMemory(BTreeMap<TenantId, BookedRecord>);

impl BookedMemory {
    /// Remembers a record; a later one of the tenant takes its place.
    pub fn insert(&mut self, tenant: TenantId, record: BookedRecord) {
        if self.0.len() >= TENANTS_MAX && !self.0.contains_key(&tenant) {
            let oldest = self.0.iter().min_by_key(|(_, record)| record.hour);
            if let Some(oldest) = oldest.map(|(tenant, _)| tenant.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(tenant, record);
    }

    /// All of them, in the order of the tenants.
    pub fn iter(&self) -> impl Iterator<Item = (&TenantId, &BookedRecord)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use protocol::{BootId, UsageHour};

    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_was_booked_last() {
        let first = UsageHour::parse("2026112809").unwrap();
        let record = |seq: u32| BookedRecord {
            boot: BootId::from_bits(1),
            seq: u64::from(seq),
            hour: first.plus(seq),
        };
        let tenant = |number: u32| TenantId::parse(&format!("t{number}")).unwrap();
        let mut memory = BookedMemory::default();
        let all = TENANTS_MAX as u32 + 3;
        for number in 0..all {
            memory.insert(tenant(number), record(number));
        }
        assert_eq!(memory.iter().count(), TENANTS_MAX);
        let oldest = memory.iter().map(|(_, record)| record.seq).min();
        assert_eq!(oldest, Some(3));
        // A tenant that is known takes no other one's place.
        memory.insert(tenant(3), record(all));
        assert_eq!(memory.iter().count(), TENANTS_MAX);
        let known = memory.iter().find(|(id, _)| **id == tenant(3));
        assert_eq!(known.map(|(_, record)| *record), Some(record(all)));
    }
}
