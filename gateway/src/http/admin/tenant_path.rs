//! The tenant that the path of an admin request names.

use axum::extract::FromRequestParts;
use http::request::Parts;
use protocol::TenantId;

use super::refusal::PlainRefusal;

/// The `{id}` of `/admin/v1/tenants/{id}/…`, as it stands in the path: a tenant id needs no escapes, so
/// each tenant has one path only. Errors: 400.
pub(super) struct TenantPath(pub(super) TenantId);

/// `""`, `admin`, `v1` and `tenants` come before it.
const SEGMENT: usize = 4;

impl<S: Sync> FromRequestParts<S> for TenantPath {
    type Rejection = PlainRefusal;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, PlainRefusal> {
        let id = head.uri.path().split('/').nth(SEGMENT);
        let tenant = id.and_then(|id| TenantId::parse(id).ok());
        let bad = PlainRefusal::bad_request("not a valid tenant id");
        tenant.map(Self).ok_or(bad)
    }
}
