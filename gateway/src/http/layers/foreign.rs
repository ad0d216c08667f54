//! Refusals of a request for where it comes from, which are logged with their source.

use axum::response::{IntoResponse, Response};

/// Marks the answer of a layer that refused a request for its `Host` or its `Origin`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForeignRefusal;

/// The refusal, marked as foreign.
pub(super) fn foreign(refusal: impl IntoResponse) -> Response {
    let mut response = refusal.into_response();
    response.extensions_mut().insert(ForeignRefusal);
    response
}
