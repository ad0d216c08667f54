//! Which web pages may ask, and read the answer. Source: Fetch Standard, CORS protocol.
//!
//! There are no cookies here, so nothing is at stake but what a page could ask with a credential it
//! already has; the list keeps pages of others from trying ones that were stolen.

use http::HeaderValue;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, ORIGIN, VARY,
};
use http::request::Parts;
use protocol::{ErrorCode, Refusal};

use crate::config::OriginPattern;
use crate::ws::handshake::{host_of, is_same_site, origin_is_allowed};

/// How long a browser may remember what it was allowed, seconds.
const MAX_AGE_S: u32 = 600;

/// The page that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Page {
    /// None, or one of our own.
    None,
    /// One of a listed origin.
    Listed(HeaderValue),
}

impl Page {
    /// The page that a request comes from. Errors: an origin that is neither ours nor listed.
    pub(in crate::http) fn of(head: &Parts, allowed: &[OriginPattern]) -> Result<Self, Refusal> {
        let Some(origin) = head.headers.get(ORIGIN) else {
            return Ok(Page::None);
        };
        let host = host_of(head).ok_or(ErrorCode::BadRequest)?;
        if !origin_is_allowed(&head.headers, &host, allowed) {
            return Err(ErrorCode::OriginNotAllowed.into());
        }
        let is_own = origin
            .to_str()
            .is_ok_and(|origin| is_same_site(origin, &host));
        Ok(if is_own {
            Page::None
        } else {
            Page::Listed(origin.clone())
        })
    }

    /// Lets the page read the answer.
    pub(in crate::http) fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(VARY, HeaderValue::from_static("Origin"));
        if let Page::Listed(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let exposed = HeaderValue::from_static("Retry-After, WWW-Authenticate");
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }

    /// Answers a preflight: what the page may send.
    pub(in crate::http) fn allow(&self, headers: &mut HeaderMap, methods: HeaderValue) {
        if let Page::Listed(_) = self {
            let allowed = HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key");
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S.into());
        }
    }
}
