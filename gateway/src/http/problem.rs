//! Refusals as `application/problem+json`, made of the one error table. Source: RFC 9457.

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use protocol::http::Problem;
use protocol::{ErrorCode, Refusal};

use super::answer::typed;
use crate::usage::PageFailure;

/// When a client that a draining node refuses may ask another node, milliseconds.
const DRAINING_RETRY_MS: u64 = 1000;

/// A refusal of the HTTP API. Handlers and extractors return it as their error.
#[derive(Debug)]
pub(super) struct ProblemResponse {
    refusal: Refusal,
    /// Why there is no page of usage, if that is refused.
    page: Option<Box<PageFailure>>,
}

impl<R: Into<Refusal>> From<R> for ProblemResponse {
    fn from(refusal: R) -> Self {
        Self {
            refusal: refusal.into(),
            page: None,
        }
    }
}

impl From<PageFailure> for ProblemResponse {
    fn from(failure: PageFailure) -> Self {
        Self {
            refusal: ErrorCode::StoreUnavailable.into(),
            page: Some(Box::new(failure)),
        }
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let Self { mut refusal, page } = self;
        let code = refusal.code;
        if code == ErrorCode::Draining {
            refusal.retry_ms = refusal.retry_ms.or(Some(DRAINING_RETRY_MS));
        }
        let mut problem = Problem::of(&refusal);
        problem.detail = problem.detail.or(page.and_then(|page| page.detail()));
        let text = serde_json::to_vec(&problem).expect("a problem has string keys only");
        let status = StatusCode::from_u16(code.status()).expect("the table has HTTP statuses");
        let mut response = typed(status, "application/problem+json", text);
        let headers = response.headers_mut();
        if code == ErrorCode::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(retry_after_ms) = refusal.retry_ms {
            headers.insert(RETRY_AFTER, retry_after_ms.div_ceil(1000).into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(refusal: Refusal) -> Response {
        ProblemResponse::from(refusal).into_response()
    }

    #[test]
    fn the_wait_is_said_twice_and_never_too_short() {
        let refused = Refusal {
            retry_ms: Some(1001),
            ..Refusal::from(ErrorCode::RateLimited)
        };
        let told = response(refused);
        assert_eq!(
            (told.status().as_u16(), &told.headers()["retry-after"]),
            (429, &"2".parse().unwrap())
        );
        assert_eq!(
            response(ErrorCode::Draining.into()).headers()["retry-after"],
            "1"
        );
        let told = response(ErrorCode::BotOffline.into());
        assert!(!told.headers().contains_key("retry-after"));
    }

    #[test]
    fn every_row_can_be_told() {
        for code in ErrorCode::ALL {
            assert_eq!(response((*code).into()).status().as_u16(), code.status());
        }
    }
}
