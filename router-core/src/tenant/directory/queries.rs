//! Questions to the store that are not answered yet.

use protocol::BotId;

use super::outbox::PendingAssert;
use crate::ids::ConnKey;
use crate::small::SmallMap;
use crate::store::EntryRelease;

/// What a question to the store is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tenant) enum PendingQuery {
    Load,
    Version,
    Enter(ConnKey),
    Claim(BotId),
    Release(Box<EntryRelease>),
    Assert(Box<PendingAssert>),
    ReleaseEvicted,
}

impl PendingQuery {
    /// Whether the store's answer may have changed what the directory says of this node.
    pub fn is_own_step(&self) -> bool {
        match self {
            PendingQuery::Enter(_)
            | PendingQuery::Claim(_)
            | PendingQuery::Release(_)
            | PendingQuery::Assert(_) => true,
            PendingQuery::Load | PendingQuery::Version | PendingQuery::ReleaseEvicted => false,
        }
    }
}

/// Those of one tenant, each with a number of its own.
#[derive(Debug, Default)]
pub(super) struct PendingQueries {
    last: u64,
    by_number: SmallMap<u64, PendingQuery, 1>,
}

impl PendingQueries {
    /// Begins to wait for an answer; returns the question's number.
    pub fn insert(&mut self, query: PendingQuery) -> u64 {
        self.last += 1;
        self.by_number.insert(self.last, query);
        self.last
    }

    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    pub fn take(&mut self, number: u64) -> Option<PendingQuery> {
        self.by_number.remove(&number)
    }
}
