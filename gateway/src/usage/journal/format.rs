//! The blocks of a journal.

use std::hash::Hasher;

use foldhash::HashMap;
use protocol::{BootId, TenantId, UsageCounts, UsageHour, UsageMeter};
use router_core::shard::{SocketCounts, UnbookedUsage, UsageReport};
use router_core::store::UsageRecord;
use serde::{Deserialize, Serialize, Serializer};
use siphasher::sip::SipHasher13;

/// What a journal begins with.
pub(super) const MAGIC: &[u8; 8] = b"T2BUSAGE";
/// The version of the blocks that this build writes, and the only one that it reads.
pub(super) const VERSION: u32 = 1;
/// Largest block that is read, bytes: a write of a million tenants.
const BLOCK_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Bytes before the content of a block.
const FRAME_BYTES: usize = 12;

/// The first block: whose journal it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JournalHead {
    pub version: u32,
    pub cluster: String,
    pub boot: String,
    /// The meters by the numbers that stand for them in this file.
    pub meters: Vec<String>,
}

/// Every other block, as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct JournalWrite {
    /// The boot that the node had then.
    pub boot: String,
    /// When it was written, Unix milliseconds: until then the sockets were open.
    pub unix_ms: u64,
    pub tenants: Vec<TenantEntry>,
}

/// All that a tenant has which is not booked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TenantEntry {
    pub tenant: TenantId,
    /// The number of the record that the time of these sockets is added to.
    pub time_seq: u64,
    pub bots: u32,
    pub clients: u32,
    /// Up to when the time of these sockets is in the records, Unix milliseconds.
    pub timed_unix_ms: u64,
    pub records: Vec<RecordEntry>,
}

/// A record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RecordEntry {
    pub boot: String,
    pub seq: u64,
    pub hour: UsageHour,
    /// Meters, as the head numbers them, and amounts.
    pub amounts: Vec<(u8, u64)>,
}

/// What the next write has: the last word about each tenant.
#[derive(Debug, Default)]
pub(crate) struct JournalBuffer(HashMap<TenantId, UnbookedUsage>);

impl JournalBuffer {
    /// Adds a report, in place of an earlier one of the tenant.
    pub(crate) fn add(&mut self, report: UsageReport) {
        self.0.insert(report.tenant, report.unbooked);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A [`JournalWrite`] that is not bytes yet.
#[derive(Debug, Serialize)]
pub(super) struct NewWrite<'a> {
    pub boot: String,
    pub unix_ms: u64,
    pub tenants: &'a JournalBuffer,
}

impl Serialize for JournalBuffer {
    /// As the list of a [`JournalWrite`], one tenant after the other.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(tenant, usage)| entry(tenant, usage)))
    }
}

fn entry(tenant: &TenantId, usage: &UnbookedUsage) -> TenantEntry {
    let records = usage.records.iter().map(|record| RecordEntry {
        boot: record.boot.to_string(),
        seq: record.seq,
        hour: record.hour,
        amounts: amounts(&record.counts),
    });
    TenantEntry {
        tenant: tenant.clone(),
        time_seq: usage.time_seq,
        bots: usage.sockets.bots,
        clients: usage.sockets.clients,
        timed_unix_ms: usage.timed_unix_ms,
        records: records.collect(),
    }
}

fn amounts(counts: &UsageCounts) -> Vec<(u8, u64)> {
    let amounts = counts.iter();
    amounts
        .map(|(meter, amount)| (meter.index() as u8, amount))
        .collect()
}

impl JournalHead {
    pub fn new(cluster: &str, boot: BootId) -> Self {
        Self {
            version: VERSION,
            cluster: cluster.to_owned(),
            boot: boot.to_string(),
            meters: UsageMeter::ALL.iter().map(ToString::to_string).collect(),
        }
    }

    /// What a tenant has, as the machines know it. Records that cannot be read are left out, and amounts of
    /// meters that this build does not know.
    pub fn unbooked(&self, entry: &TenantEntry) -> UnbookedUsage {
        let records = entry.records.iter();
        UnbookedUsage {
            records: records.filter_map(|record| self.record(record)).collect(),
            time_seq: entry.time_seq,
            sockets: SocketCounts {
                bots: entry.bots,
                clients: entry.clients,
            },
            timed_unix_ms: entry.timed_unix_ms,
        }
    }

    fn record(&self, entry: &RecordEntry) -> Option<UsageRecord> {
        let counts = entry.amounts.iter().filter_map(|(number, amount)| {
            let name = self.meters.get(usize::from(*number))?;
            Some((UsageMeter::parse(name)?, *amount))
        });
        Some(UsageRecord {
            boot: entry.boot.parse().ok()?,
            seq: entry.seq,
            hour: entry.hour,
            counts: counts.collect(),
        })
    }
}

/// A block as bytes.
pub(super) fn block(content: &impl Serialize) -> Vec<u8> {
    let content = rmp_serde::to_vec(content).expect("texts, numbers and lists of these");
    let mut bytes = Vec::with_capacity(FRAME_BYTES + content.len());
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum(&content).to_le_bytes());
    bytes.extend_from_slice(&content);
    bytes
}

/// Takes the next block from bytes. `None`: what is left is no block as a whole.
pub(super) fn take_block<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (frame, rest) = bytes.split_at_checked(FRAME_BYTES)?;
    let (length, sum) = frame.split_at(4);
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let sum = u64::from_le_bytes(sum.try_into().ok()?);
    let (content, rest) = rest.split_at_checked(length)?;
    let is_whole = length <= BLOCK_BYTES_MAX && checksum(content) == sum;
    is_whole.then(|| {
        *bytes = rest;
        content
    })
}

/// Of the same bytes it is the same number in every build.
fn checksum(content: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(content);
    hasher.finish()
}
