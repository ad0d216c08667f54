//! The body of an admin request: an object of JSON.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use http::StatusCode;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::context::AdminContext;
use super::refusal::PlainRefusal;

/// Reads a body of at most `bytes_max` bytes. Errors: it is larger, breaks off, or does not come in time.
pub(super) async fn read_body(
    admin: &AdminContext,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, PlainRefusal> {
    let bad = || PlainRefusal::bad_request("the body is too large or broken off");
    // Do not wait for a body whose Content-Length is too large.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(bad());
    }
    let pace = Duration::from_millis(admin.node.settings().handshake_timeout_ms);
    match timeout(pace, to_bytes(body, bytes_max)).await {
        Ok(body) => body.map_err(|_| bad()),
        Err(_) => Err(PlainRefusal(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come".into(),
        )),
    }
}

/// The value of a body. Errors: the rule that it breaks, if the text of that begins with one of `members`; else
/// `shape`. Nothing of the body but names is repeated.
pub(super) fn decode<T: DeserializeOwned>(
    body: &[u8],
    members: &[&str],
    shape: &'static str,
) -> Result<T, PlainRefusal> {
    // Serde also accepts a list for a struct.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(PlainRefusal::bad_request(shape));
    }
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        // serde_json adds the position.
        let (rule, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
        match members.iter().any(|member| rule.starts_with(member)) {
            true => PlainRefusal::bad_request(rule.to_owned()),
            false => PlainRefusal::bad_request(shape),
        }
    })
}
