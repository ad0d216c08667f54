//! Types that all files of routes use: the router that they return, and the answer of their handlers.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use protocol::ErrorCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;

use crate::http::answer::json;
use crate::http::context::PublicContext;
use crate::http::problem::ProblemResponse;

/// Routes with their descriptions.
pub(super) type ApiRoutes = OpenApiRouter<Arc<PublicContext>>;

/// The result of every handler.
pub(super) type CallAnswer = Result<Response, ProblemResponse>;

/// A value as JSON.
pub(super) fn json_of(status: StatusCode, value: &impl Serialize) -> CallAnswer {
    let mut text = serde_json::to_vec(value).map_err(|_| ErrorCode::Internal)?;
    // The tenant is charged with its length; its capacity may be twice that.
    text.shrink_to_fit();
    Ok(json(status, text))
}
