//! The reference meaning of the usage ledger. A store in memory loses it when its process ends.

use std::collections::{BTreeMap, BTreeSet};

use protocol::limits::{USAGE_KEEP_HOURS, USAGE_SEEN_HOURS};
use protocol::{BootId, TenantId, UsageHour};

use super::hours::first_open_hour;
use super::record::{HourUsage, UsageRecord};
use super::reply::{TenantIndex, UsageReply};
use super::request::{UsageIndexQuery, UsageQuery};
use crate::env::Millis;
use crate::small::SmallMap;
use crate::store::reply::StoreResult;
use crate::store::tenants::TenantPart;

/// Charged for an hour of a tenant besides its name: the amounts and a map node.
const HOUR_BYTES: u64 = 320;
/// The ledger may take this part of the store's memory; beyond that the oldest hours go.
const STORE_PART: u64 = 4;

/// The ledger of all tenants.
#[derive(Debug, Clone)]
pub(in crate::store) struct UsageModel {
    bytes: u64,
    bytes_max: u64,
    /// How long an hour is kept, hours.
    keep_hours: u32,
    hours: BTreeMap<UsageHour, BTreeMap<TenantId, HourUsage>>,
    seen: BTreeMap<TenantId, SmallMap<BootId, SeenBoot, 1>>,
}

/// The last record of a boot.
#[derive(Debug, Clone, Copy)]
struct SeenBoot {
    seq: u64,
    /// When it was booked.
    hour: UsageHour,
}

impl UsageModel {
    /// An empty ledger, in a store of so many bytes.
    pub(in crate::store) fn new(store_bytes: u64) -> Self {
        Self {
            bytes: 0,
            bytes_max: store_bytes / STORE_PART,
            keep_hours: USAGE_KEEP_HOURS,
            hours: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Keeps each hour for so many hours.
    pub(in crate::store) fn keep(&mut self, hours: u32) {
        self.keep_hours = hours;
    }

    /// Bytes in use.
    pub(in crate::store) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Answers a query.
    pub(in crate::store) fn execute(
        &mut self,
        tenant: &TenantId,
        now_ms: Millis,
        query: UsageQuery,
    ) -> StoreResult<UsageReply> {
        match query {
            UsageQuery::Book { record, .. } => Ok(self.book(tenant, now_ms, &record)),
            UsageQuery::Read { from, to } => Ok(self.read(tenant, now_ms, from..to)),
            UsageQuery::Seen => {
                let boots = self.seen.get(tenant).into_iter().flat_map(SmallMap::iter);
                let boots = boots.map(|(boot, seen)| (*boot, seen.seq));
                Ok(UsageReply::Seen(boots.collect()))
            }
        }
    }

    fn book(&mut self, tenant: &TenantId, now_ms: Millis, record: &UsageRecord) -> UsageReply {
        let seen = self.seen.entry(tenant.clone()).or_default();
        let last = seen.get(&record.boot).map_or(0, |seen| seen.seq);
        if record.seq <= last {
            return UsageReply::Booked { is_late: false };
        }
        let hour = UsageHour::of(now_ms);
        let seq = record.seq;
        seen.insert(record.boot, SeenBoot { seq, hour });
        let first_open = first_open_hour(now_ms);
        let is_late = record.hour < first_open;
        let of_hour = self.hours.entry(record.hour.max(first_open)).or_default();
        if !of_hour.contains_key(tenant) {
            self.bytes += bytes_of(tenant);
            seen.retain(|_, seen| seen.hour.plus(USAGE_SEEN_HOURS) > hour);
        }
        let usage = of_hour.entry(tenant.clone()).or_default();
        usage.add(&record.counts, is_late);
        self.bound(hour);
        UsageReply::Booked { is_late }
    }

    fn read(
        &self,
        tenant: &TenantId,
        now_ms: Millis,
        hours: std::ops::Range<UsageHour>,
    ) -> UsageReply {
        let hours = self.hours.range(hours);
        let hours = hours.filter_map(|(hour, tenants)| Some((*hour, *tenants.get(tenant)?)));
        UsageReply::Hours {
            as_of_ms: now_ms,
            hours: hours.collect(),
        }
    }

    /// The tenants that used something on a day.
    pub(in crate::store) fn index(&self, query: &UsageIndexQuery) -> TenantIndex {
        let day = query.day.day();
        let hours = self.hours.range(day..day.plus(UsageHour::PER_DAY));
        let tenants = hours.flat_map(|(_, tenants)| tenants.keys());
        let of_part = tenants.filter(|tenant| UsageIndexQuery::part_of(tenant) == query.part);
        let tenants: BTreeSet<TenantId> = of_part.cloned().collect();
        tenants.into_iter().collect()
    }

    /// The tenants of a part that used something, each with the last day.
    pub(in crate::store) fn last_used(&self, part: TenantPart) -> BTreeMap<TenantId, UsageHour> {
        let hours = self.hours.iter();
        let used =
            hours.flat_map(|(hour, tenants)| tenants.keys().map(|tenant| (tenant, hour.day())));
        let of_part = used.filter(|(tenant, _)| TenantPart::of(tenant) == part);
        // Of two days the later counts.
        of_part.map(|(tenant, day)| (tenant.clone(), day)).collect()
    }

    /// Drops the hours that are kept no longer, and the oldest ones while there is too much.
    fn bound(&mut self, now: UsageHour) {
        let kept = now.minus(self.keep_hours);
        while let Some(mut oldest) = self.hours.first_entry()
            && (*oldest.key() < kept || self.bytes > self.bytes_max)
        {
            match oldest.get_mut().pop_first() {
                Some((tenant, _)) => self.bytes -= bytes_of(&tenant),
                None => drop(oldest.remove()),
            }
        }
    }
}

fn bytes_of(tenant: &TenantId) -> u64 {
    HOUR_BYTES + tenant.as_str().len() as u64
}
