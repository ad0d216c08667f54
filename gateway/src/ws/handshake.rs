//! The opening handshake: a request head judged, nothing else. Pure: no I/O.
//!
//! | refused with | because |
//! | --- | --- |
//! | 400 | not a GET of HTTP/1.1, no or two `Host` or a malformed one, `Connection` without `upgrade`, a bad key |
//! | 403 | an `Origin` that is neither the `Host` nor listed |
//! | 421 | a `Host`, or an authority in the target, that is not ours (DNS rebinding) |
//! | 426 | no `Upgrade: websocket`, or another version than 13 |
//!
//! Credentials are not looked at: they are told in-band. Extensions are not negotiated. The caller
//! refuses with 429 and 503 through [`UpgradeRefusal::retry_after`]; 431 is hyper's. Source: RFC 6455 §4.2.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};
use sha1::{Digest, Sha1};

use crate::config::{HostPattern, OriginPattern};
use crate::http::authority::{host_is_ours, host_of};
use crate::http::headers::only_header;
use crate::http::origin::origin_is_allowed;

/// Appended to the peer's key. Source: RFC 6455 §1.3.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a listener accepts.
#[derive(Debug, Clone, Copy)]
pub struct UpgradePolicy<'a> {
    /// Subprotocols that we speak. Never list one that carries a credential: it would be echoed.
    pub subprotocols: &'a [&'a str],
    /// Origins accepted besides the `Host`'s own.
    pub allowed_origins: &'a [OriginPattern],
    /// Names by which we may be called; `None`: any.
    pub hosts: Option<&'a [HostPattern]>,
}

/// A handshake that may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedUpgrade {
    accept: HeaderValue,
    subprotocol: Option<HeaderValue>,
}

impl AcceptedUpgrade {
    /// The 101 response.
    pub fn response(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(subprotocol) = &self.subprotocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocol.clone());
        }
        response
    }

    /// The subprotocol that was chosen.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol
            .as_ref()
            .and_then(|value| value.to_str().ok())
    }
}

/// A handshake that ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRefusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// Headers that say what to do about it.
    pub headers: HeaderMap,
}

impl UpgradeRefusal {
    /// Refuses with a status and nothing else.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
        }
    }

    /// Refuses for the time being (429, 503).
    pub fn retry_after(status: StatusCode, seconds: u32) -> Self {
        Self::new(status).with(RETRY_AFTER, HeaderValue::from(seconds))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The response; it closes the connection.
    pub fn response(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// Judges the head of a request.
///
/// Errors: the table above, the first that applies from 421 down: `Host`, form, version, `Origin`.
pub fn judge(parts: &Parts, policy: &UpgradePolicy<'_>) -> Result<AcceptedUpgrade, UpgradeRefusal> {
    let bad = || UpgradeRefusal::new(StatusCode::BAD_REQUEST);
    let host = host_of(&parts.uri, &parts.headers).ok_or_else(bad)?;
    if !host_is_ours(&host, policy.hosts) {
        return Err(UpgradeRefusal::new(StatusCode::MISDIRECTED_REQUEST));
    }
    let is_head = parts.method == Method::HEAD;
    if parts.method != Method::GET && !is_head || parts.version != Version::HTTP_11 {
        return Err(bad());
    }
    let headers = &parts.headers;
    // HEAD asks what GET would be answered, and never upgrades.
    if is_head || !tokens(headers, UPGRADE).any(|it| it.eq_ignore_ascii_case("websocket")) {
        let websocket = HeaderValue::from_static("websocket");
        return Err(UpgradeRefusal::new(StatusCode::UPGRADE_REQUIRED).with(UPGRADE, websocket));
    }
    if !tokens(headers, CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade")) {
        return Err(bad());
    }
    if only_header(headers, SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let version = HeaderValue::from_static("13");
        let refusal = UpgradeRefusal::new(StatusCode::UPGRADE_REQUIRED);
        return Err(refusal.with(SEC_WEBSOCKET_VERSION, version));
    }
    let accept = only_header(headers, SEC_WEBSOCKET_KEY)
        .and_then(accept_of)
        .ok_or_else(bad)?;
    if !origin_is_allowed(headers, &host, policy.allowed_origins) {
        return Err(UpgradeRefusal::new(StatusCode::FORBIDDEN));
    }
    Ok(AcceptedUpgrade {
        accept,
        subprotocol: choose(headers, policy.subprotocols),
    })
}

/// The first subprotocol of the peer's list that we speak.
fn choose(headers: &HeaderMap, spoken: &[&str]) -> Option<HeaderValue> {
    let known = |offered: &str| spoken.contains(&offered);
    let chosen = tokens(headers, SEC_WEBSOCKET_PROTOCOL).find(|offered| known(offered))?;
    HeaderValue::from_str(chosen).ok()
}

/// Answers the peer's key; `None`: it is not 16 bytes of base64.
fn accept_of(key: &str) -> Option<HeaderValue> {
    if STANDARD.decode(key).ok()?.len() != 16 {
        return None;
    }
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update(ACCEPT_GUID)
        .finalize();
    HeaderValue::from_str(&STANDARD.encode(digest)).ok()
}

/// The members of a comma list, which may be spread over several headers.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests;
