//! Reads a tenant's directory in pages, so that no call blocks Redis for long.
//!
//! Other steps come between two pages. The snapshot has the number of the first page; each page is
//! of that number or a later one. Every later step is an event, which the node applies on top of
//! the snapshot, whether its change was read already or not:
//!
//! | between two pages | the snapshot | then the events |
//! | --- | --- | --- |
//! | an entry is added or changed | may have it or not, old or new | write it as it is |
//! | an entry is removed | may have it or not | remove it |
//! | an entry is removed and added again | may have either | end with it as it is |
//! | an event is lost | | the next one shows a gap, or the comparison a higher number: read again |
//! | the store loses its data | another `born`, or a lower number | it is read from the start |
//!
//! This node's own steps do not come between: they wait for their turn (`turns.rs`).

use std::sync::atomic::Ordering::Relaxed;

use redis::Value;
use router_core::store::DirectoryReply;

use super::access::DirectoryAccess;
use super::calls::PageCursor;
use super::codec;
use crate::bounds::NumberBounds;
use crate::features::policy;
use crate::redis::error::CommandFailure;

/// Most pages of one reading: the largest directory that the limits allow has about fifty. A cursor
/// may pass an entry twice while the table is resized.
const PAGES_MAX: usize = 4096;
/// How often a directory that the store lost meanwhile is read from the start.
const RESTARTS_MAX: usize = 3;

type Field = (Vec<u8>, Vec<u8>);

/// A page of a directory.
struct DirectoryPage {
    ver: u64,
    generation: String,
    suspended: String,
    assigned: String,
    born: u64,
    next: Option<PageCursor>,
    fields: Vec<Field>,
}

impl DirectoryPage {
    fn read(value: Value) -> Option<Self> {
        type Words = (u64, String, String, String, u64, String, String, Vec<Field>);
        let (ver, generation, suspended, assigned, born, part, cursor, fields): Words =
            redis::from_redis_value(value).ok()?;
        Some(Self {
            ver,
            generation,
            suspended,
            assigned,
            born,
            next: (!part.is_empty()).then_some(PageCursor { part, cursor }),
            fields,
        })
    }

    /// Whether a later page is of the same directory.
    fn continues(&self, first: &Self, last_ver: u64) -> bool {
        self.born == first.born && self.ver >= last_ver
    }
}

impl DirectoryAccess<'_> {
    /// All of a tenant.
    pub(super) async fn load(&self) -> Result<DirectoryReply, CommandFailure> {
        for _ in 0..=RESTARTS_MAX {
            if let Some(reply) = self.load_once().await? {
                return Ok(reply);
            }
        }
        Err(CommandFailure::UNAVAILABLE)
    }

    /// `None`: the store lost its data meanwhile.
    async fn load_once(&self) -> Result<Option<DirectoryReply>, CommandFailure> {
        let misread = || self.misread();
        let value = self.step(&PageCursor::first()).await?;
        let mut first = DirectoryPage::read(value).ok_or_else(misread)?;
        let (mut next, mut last_ver) = (first.next.take(), first.ver);
        for _ in 1..PAGES_MAX {
            let Some(page) = next else { break };
            let value = self.step(&page).await?;
            let loaded = DirectoryPage::read(value).ok_or_else(misread)?;
            if !loaded.continues(&first, last_ver) {
                return Ok(None);
            }
            last_ver = loaded.ver;
            (first.generation, first.suspended) = (loaded.generation, loaded.suspended);
            first.assigned = loaded.assigned;
            // What was read later is later in the list, and so counts.
            first.fields.extend(loaded.fields);
            next = loaded.next;
        }
        let policy = policy::codec::policy(&first.generation, &first.suspended, &first.assigned);
        let policy = policy.ok_or_else(misread)?;
        let numbers = (first.ver, first.born);
        let intake = &self.store.intake;
        let bounds = NumberBounds::at(intake.clock.now_ms());
        let (snapshot, skipped) = codec::snapshot(numbers, policy, &first.fields, bounds);
        intake.counters.skipped.fetch_add(skipped, Relaxed);
        Ok(Some(DirectoryReply::Loaded(Box::new(snapshot))))
    }

    /// Releases what dead nodes held.
    pub(super) async fn reap(&self) -> Result<DirectoryReply, CommandFailure> {
        let mut page = PageCursor::first();
        for _ in 0..PAGES_MAX {
            let value = self.step(&page).await?;
            page.cursor = redis::from_redis_value(value).map_err(|_| self.misread())?;
            if page.cursor == "0" {
                break;
            }
        }
        Ok(DirectoryReply::Done)
    }
}
