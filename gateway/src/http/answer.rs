//! Answers in text and in JSON.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

/// A short text for a person or a probe.
pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response {
    typed(status, "text/plain; charset=utf-8", text)
}

/// A JSON value for a program.
pub(super) fn json(status: StatusCode, text: impl Into<Bytes>) -> Response {
    typed(status, "application/json", text)
}

/// An answer of the media type `kind`.
pub(crate) fn typed(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The admin listener's answer for a path or a method that it does not have.
pub(super) async fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "not found\n")
}
