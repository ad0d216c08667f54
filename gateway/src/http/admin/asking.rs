//! Asks the store for a tenant, and says what a failure means.

use http::StatusCode;
use protocol::{ErrorCode, TenantId};
use router_core::store::{StoreFailure, StoreQuery, StoreReply, StoreRequest, StoreResult};

use super::context::AdminContext;
use super::refusal::PlainRefusal;

/// What a request wants of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreAccess {
    /// To know something.
    Reads,
    /// To change something.
    Writes,
}

impl StoreAccess {
    /// Asks for a tenant. `into`: takes the reply of the feature. Errors: the store is full or not available, or
    /// did not answer.
    pub(super) async fn ask<T>(
        self,
        admin: &AdminContext,
        tenant: &TenantId,
        query: impl Into<StoreQuery>,
        into: impl FnOnce(StoreReply) -> StoreResult<T>,
    ) -> Result<T, PlainRefusal> {
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms: admin.node.unix_ms(),
            query: query.into(),
        };
        let reply = admin.node.backplane.execute(request).await;
        reply.and_then(into).map_err(|failure| self.failed(failure))
    }

    /// What a failure means.
    pub(super) fn failed(self, failure: StoreFailure) -> PlainRefusal {
        let (status, text) = match (failure, self) {
            (StoreFailure::Refused(ErrorCode::QuotaExceeded), _) => {
                (StatusCode::INSUFFICIENT_STORAGE, "the store is full")
            }
            (StoreFailure::Refused(_), _) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store is not available",
            ),
            (StoreFailure::Lost | StoreFailure::Damaged, Self::Writes) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store did not answer: it may have taken it",
            ),
            (StoreFailure::Lost | StoreFailure::Damaged, Self::Reads) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store gave no answer that could be read",
            ),
        };
        PlainRefusal(status, text.into())
    }
}
