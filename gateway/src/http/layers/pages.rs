//! Refuses web pages of other origins, and lets listed ones read the answer. Source: Fetch Standard, CORS protocol.
//!
//! The API has no cookies, so a page can use only a credential that it has. The list of origins keeps other pages from
//! trying stolen credentials in their visitors' browsers.
//!
//! tower-http's `CorsLayer` cannot do this: it answers a request of any origin and leaves the refusal to the browser, answers a
//! preflight before the path is looked up, and takes an origin that is the `Host`'s own for a foreign one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, HeaderMap, ORIGIN,
};
use http::{HeaderValue, Method, StatusCode, Uri};
use protocol::ErrorCode;

use super::foreign::foreign;
use crate::config::OriginPattern;
use crate::http::answer::text;
use crate::http::authority::host_of;
use crate::http::context::PublicContext;
use crate::http::origin::{is_same_site, origin_is_allowed};
use crate::http::problem::ProblemResponse;

/// How long a browser may cache a preflight, seconds.
const MAX_AGE_S: u32 = 600;
/// Headers that a page may send.
const HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key");
/// Headers that a page may read besides those that every page may.
const EXPOSED: HeaderValue = HeaderValue::from_static("Retry-After, T2b-Quota, WWW-Authenticate");

/// Of the HTTP API: 403 for a page of an origin that is neither the `Host`'s own nor listed. Answers to a listed one say
/// that it may read them, and to a preflight what it may send.
pub(in crate::http) async fn api_pages(
    State(context): State<Arc<PublicContext>>,
    request: Request,
    next: Next,
) -> Response {
    let page = page_of(
        request.uri(),
        request.headers(),
        &context.settings().allowed_origins,
    );
    let page = match page {
        Ok(None) => return next.run(request).await,
        Ok(Some(page)) => page,
        Err(code) => return foreign(ProblemResponse::from(code)),
    };
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let is_preflight = is_preflight && response.status().is_success();
    let headers = response.headers_mut();
    if let Some(methods) = headers.get(ALLOW).filter(|_| is_preflight).cloned() {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S.into());
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    response
}

/// Of the admin listener: 403 for every page, whatever its origin.
pub(in crate::http) async fn no_pages(request: Request, next: Next) -> Response {
    match request.headers().contains_key(ORIGIN) {
        true => text(StatusCode::FORBIDDEN, ""),
        false => next.run(request).await,
    }
}

/// The listed origin that a request comes from; none if no page asks, or one of our own. Errors: an origin that is
/// neither ours nor listed.
fn page_of(
    target: &Uri,
    headers: &HeaderMap,
    allowed: &[OriginPattern],
) -> Result<Option<HeaderValue>, ErrorCode> {
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(None);
    };
    let host = host_of(target, headers).ok_or(ErrorCode::BadRequest)?;
    if !origin_is_allowed(headers, &host, allowed) {
        return Err(ErrorCode::OriginNotAllowed);
    }
    let is_own = origin
        .to_str()
        .is_ok_and(|origin| is_same_site(origin, &host));
    Ok((!is_own).then(|| origin.clone()))
}
