//! One request about a tenant's directory, under way.

use redis::Value;
use router_core::store::DirectoryQuery;

use super::calls::{PageCursor, call};
use crate::features::step::StepAsker;
use crate::redis::error::CommandFailure;
use crate::redis::session::RedisSession;
use crate::redis::shared::RedisShared;

/// What the request is executed with.
pub(super) struct DirectoryAccess<'a> {
    pub(super) store: &'a RedisShared,
    pub(super) session: &'a RedisSession,
    pub(super) asker: StepAsker<'a>,
    pub(super) query: &'a DirectoryQuery,
}

impl DirectoryAccess<'_> {
    /// Takes a step. `page`: which part, of what is read in parts.
    pub(super) async fn step(&self, page: &PageCursor) -> Result<Value, CommandFailure> {
        let call = call(self.query, page);
        call.run(self.store, self.session, &self.asker).await
    }

    /// The failure of an answer that is none.
    pub(super) fn misread(&self) -> CommandFailure {
        self.store.misread(self.asker.tenant)
    }
}
