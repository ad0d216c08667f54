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
use router_core::store::{DirectoryReply, StoreReply, StoreRequest};

use super::Inner;
use super::error::Fail;
use super::session::Session;
use crate::bounds::Bounds;
use crate::directory;

/// Most pages of one reading: the largest directory that the limits allow has about fifty. A cursor
/// may pass an entry twice while the table is resized.
const PAGES_MAX: usize = 4096;
/// How often a directory that the store lost meanwhile is read from the start.
const RESTARTS_MAX: usize = 3;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) part: String,
    pub(super) cursor: String,
}

impl Page {
    pub(super) fn first() -> Self {
        Self {
            part: "dir".into(),
            cursor: "0".into(),
        }
    }
}

type Field = (Vec<u8>, Vec<u8>);

/// A page of a directory.
struct Loaded {
    ver: u64,
    generation: String,
    suspended: String,
    born: u64,
    next: Option<Page>,
    fields: Vec<Field>,
}

impl Loaded {
    fn read(value: Value) -> Option<Self> {
        type Words = (u64, String, String, u64, String, String, Vec<Field>);
        let (ver, generation, suspended, born, part, cursor, fields): Words =
            redis::from_redis_value(value).ok()?;
        Some(Self {
            ver,
            generation,
            suspended,
            born,
            next: (!part.is_empty()).then_some(Page { part, cursor }),
            fields,
        })
    }

    /// Whether a later page is of the same directory.
    fn continues(&self, first: &Self, last_ver: u64) -> bool {
        self.born == first.born && self.ver >= last_ver
    }
}

impl Inner {
    /// All of a tenant.
    pub(super) async fn load(
        &self,
        session: &Session,
        request: &StoreRequest,
    ) -> Result<StoreReply, Fail> {
        for _ in 0..=RESTARTS_MAX {
            if let Some(reply) = self.load_once(session, request).await? {
                return Ok(reply);
            }
        }
        Err(Fail::UNAVAILABLE)
    }

    /// `None`: the store lost its data meanwhile.
    async fn load_once(
        &self,
        session: &Session,
        request: &StoreRequest,
    ) -> Result<Option<StoreReply>, Fail> {
        let misread = || self.misread(&request.tenant);
        let value = self.step(session, request, &Page::first()).await?;
        let mut first = Loaded::read(value).ok_or_else(misread)?;
        let (mut next, mut last_ver) = (first.next.take(), first.ver);
        for _ in 1..PAGES_MAX {
            let Some(page) = next else { break };
            let value = self.step(session, request, &page).await?;
            let loaded = Loaded::read(value).ok_or_else(misread)?;
            if !loaded.continues(&first, last_ver) {
                return Ok(None);
            }
            last_ver = loaded.ver;
            (first.generation, first.suspended) = (loaded.generation, loaded.suspended);
            // What was read later is later in the list, and so counts.
            first.fields.extend(loaded.fields);
            next = loaded.next;
        }
        let policy = directory::policy(&first.generation, &first.suspended);
        let policy = policy.ok_or_else(misread)?;
        let numbers = (first.ver, first.born);
        let bounds = Bounds::at(self.intake.clock.now_ms());
        let (snapshot, skipped) = directory::snapshot(numbers, policy, &first.fields, bounds);
        self.intake.counters.skipped.fetch_add(skipped, Relaxed);
        let reply = DirectoryReply::Loaded(Box::new(snapshot));
        Ok(Some(StoreReply::Directory(reply)))
    }

    /// Releases what dead nodes held.
    pub(super) async fn reap(
        &self,
        session: &Session,
        request: &StoreRequest,
    ) -> Result<StoreReply, Fail> {
        let mut page = Page::first();
        for _ in 0..PAGES_MAX {
            let value = self.step(session, request, &page).await?;
            page.cursor =
                redis::from_redis_value(value).map_err(|_| self.misread(&request.tenant))?;
            if page.cursor == "0" {
                break;
            }
        }
        Ok(StoreReply::Directory(DirectoryReply::Done))
    }
}
