//! A refusal of the admin API: a status, and one line of text.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// A status, and one line of text without its end.
pub(super) struct PlainRefusal(pub(super) StatusCode, pub(super) Cow<'static, str>);

impl PlainRefusal {
    /// 400.
    pub(super) fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self(StatusCode::BAD_REQUEST, text.into())
    }
}

impl IntoResponse for PlainRefusal {
    fn into_response(self) -> Response {
        let Self(status, text) = self;
        (status, format!("{text}\n")).into_response()
    }
}
