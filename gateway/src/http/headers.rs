//! How headers are read that may be given once. Pure: no I/O.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use protocol::ErrorCode;
use router_core::auth::Credential;

/// The value of a header that is there once and is text.
pub(crate) fn only_header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

/// A header that may be given once. Errors: twice, or no text.
pub(super) fn single_header<'a>(
    headers: &'a HeaderMap,
    name: &str,
) -> Result<Option<&'a str>, ErrorCode> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str()).transpose();
    match (value, values.next()) {
        (Ok(value), None) => Ok(value),
        (Ok(_) | Err(_), _) => Err(ErrorCode::BadRequest),
    }
}

/// The credential of `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<Credential> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Credential::from_bearer(credential.trim()))
}
