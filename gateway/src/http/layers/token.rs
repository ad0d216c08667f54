//! Refuses a request without the admin token.

use std::sync::{Arc, PoisonError};

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use protocol::Secret;
use router_core::auth::{Attempt, FailureTally, Source};
use subtle::ConstantTimeEq;

use crate::http::admin::context::AdminContext;
use crate::http::answer::{not_found, text};
use crate::http::peer::PeerSocket;

/// 401 without the token; 404 if none is configured, as if there were no admin API.
pub(in crate::http) async fn admin_token(
    State(admin): State<Arc<AdminContext>>,
    Extension(peer): Extension<PeerSocket>,
    request: Request,
    next: Next,
) -> Response {
    let token = admin.settings.load().admin_token.clone();
    let Some(token) = token else {
        return not_found().await;
    };
    let headers = request.headers();
    if !is_bearer_of(headers, &token) {
        let is_wrong = headers.contains_key(AUTHORIZATION);
        return refuse(&admin, Source::of(peer.address.ip()), is_wrong);
    }
    peer.open.authenticated();
    next.run(request).await
}

/// 401, or 429 after too many wrong tokens from that source. The right token always passes.
fn refuse(admin: &AdminContext, source: Source, is_wrong: bool) -> Response {
    let mut refused = text(
        StatusCode::UNAUTHORIZED,
        "the admin token is missing or wrong\n",
    );
    let bearer = HeaderValue::from_static("Bearer");
    refused.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    if !is_wrong {
        return refused;
    }
    let attempt = Attempt {
        source,
        claimed: None,
    };
    let throttle = admin.throttle.lock();
    let mut throttle = throttle.unwrap_or_else(PoisonError::into_inner);
    let tally = throttle.fail(attempt, admin.node.now_ms());
    drop(throttle);
    let FailureTally::Throttled {
        retry_after_ms,
        failures,
    } = tally
    else {
        admin.node.access_log.admin_token(source, 1);
        return refused;
    };
    admin.node.access_log.admin_token(source, failures);
    let mut refused = text(
        StatusCode::TOO_MANY_REQUESTS,
        "too many wrong admin tokens from there\n",
    );
    let seconds = HeaderValue::from(retry_after_ms.div_ceil(1000));
    refused.headers_mut().insert(RETRY_AFTER, seconds);
    refused
}

fn is_bearer_of(headers: &HeaderMap, token: &Secret<String>) -> bool {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    bool::from(given.as_bytes().ct_eq(token.reveal().as_bytes()))
}
