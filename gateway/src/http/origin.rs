//! The rules of `Origin`: which web pages may talk to us. Pure: no I/O.

use http::Uri;
use http::header::{HeaderMap, ORIGIN};
use http::uri::Authority;

use super::headers::only_header;
use crate::config::OriginPattern;

/// Whether a page of the request's `Origin` may talk to us; without one there is no page.
///
/// `allowed`: origins besides `host`'s own.
pub(crate) fn origin_is_allowed(
    headers: &HeaderMap,
    host: &Authority,
    allowed: &[OriginPattern],
) -> bool {
    if !headers.contains_key(ORIGIN) {
        return true;
    }
    let Some(origin) = only_header(headers, ORIGIN) else {
        return false;
    };
    allowed.iter().any(|listed| listed.matches(origin)) || is_same_site(origin, host)
}

/// Whether host and port are equal; a port that is not said is the default of the origin's scheme.
pub(crate) fn is_same_site(origin: &str, host: &Authority) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else {
        return false;
    };
    let default = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        Some(_) | None => return false,
    };
    let Some(site) = origin.authority() else {
        return false;
    };
    site.host().eq_ignore_ascii_case(host.host())
        && site.port_u16().unwrap_or(default) == host.port_u16().unwrap_or(default)
}
