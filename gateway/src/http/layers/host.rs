//! Refuses a request whose `Host`, or the authority of its target, is not ours: DNS rebinding.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use protocol::ErrorCode;

use super::foreign::foreign;
use crate::http::answer::text;
use crate::http::authority::{host_is_ours, host_of};
use crate::http::context::PublicContext;
use crate::http::ops_context::OpsContext;
use crate::http::problem::ProblemResponse;

/// Of the HTTP API: 400 without exactly one `Host` that is well formed, 421 for one that is not ours.
pub(in crate::http) async fn api_host(
    State(context): State<Arc<PublicContext>>,
    request: Request,
    next: Next,
) -> Response {
    let host = host_of(request.uri(), request.headers());
    let is_ours = |host| host_is_ours(&host, context.hosts(&context.settings()));
    let code = match host.map(is_ours) {
        None => ErrorCode::BadRequest,
        Some(false) => ErrorCode::Misdirected,
        Some(true) => return next.run(request).await,
    };
    foreign(ProblemResponse::from(code))
}

/// Of the admin API: 421.
pub(in crate::http) async fn admin_host(
    State(context): State<Arc<OpsContext>>,
    request: Request,
    next: Next,
) -> Response {
    match context.is_called_by(request.uri(), request.headers()) {
        true => next.run(request).await,
        false => text(StatusCode::MISDIRECTED_REQUEST, ""),
    }
}
