//! The rules of `Host`: by which name a peer means to reach us, and whether it is ours. Pure: no I/O.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::header::{HOST, HeaderMap};
use http::uri::Authority;

use super::headers::only_header;
use crate::config::HostPattern;

/// The authority that the peer meant to reach: that of the target, if it has one, replaces `Host`.
/// `None`: there is not exactly one `Host`, or one of the two is malformed. Source: RFC 9112 §3.2.
pub(crate) fn host_of(target: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let host = only_header(headers, HOST)?.parse().ok().filter(is_host)?;
    match target.authority() {
        Some(authority) => Some(authority.clone()).filter(is_host),
        None => Some(host),
    }
}

/// Whether the peer called us by a name of ours: an IP literal, `localhost`, or a listed one.
///
/// `allowed`: `None`: every name is ours.
pub(crate) fn host_is_ours(host: &Authority, allowed: Option<&[HostPattern]>) -> bool {
    let Some(allowed) = allowed else {
        return true;
    };
    let name = host.host();
    let is_address = match in_brackets(name) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<Ipv4Addr>().is_ok(),
    };
    is_host(host)
        && (is_address
            || name.eq_ignore_ascii_case("localhost")
            || allowed.iter().any(|listed| listed.matches(host)))
}

/// Whether it is a name or an address and a port or none: the parser takes more than that.
fn is_host(authority: &Authority) -> bool {
    let name = authority.host();
    let is_name = match in_brackets(name) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !name.is_empty() && !name.contains(['[', ']']),
    };
    // It does not begin with the name if it begins with a user.
    let is_port = match authority.as_str().strip_prefix(name) {
        Some("" | ":") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(is_port),
        None => false,
    };
    is_name && is_port
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn in_brackets(name: &str) -> Option<&str> {
    name.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str) -> HeaderMap {
        HeaderMap::from_iter([(HOST, host.parse().unwrap())])
    }

    #[test]
    fn a_host_is_an_address_or_a_name_of_ours() {
        let ours = ["bots.example".parse().unwrap()];
        let cases = [
            ("127.0.0.1:3000", true),
            ("[::1]", true),
            ("localhost:1", true),
            ("Bots.Example:443", true),
            ("evil.example", false),
            ("bots.example.evil", false),
            ("127.0.0.1.evil.example", false),
            ("[::1]:3000", true),
            ("[2001:db8::1]", true),
            ("[127.0.0.1]", false),
            ("[::1]x", false),
            ("[localhost]", false),
        ];
        for (host, expected) in cases {
            let authority = host.parse().unwrap();
            assert_eq!(host_is_ours(&authority, Some(&ours)), expected, "{host}");
            assert!(host_is_ours(&authority, None));
        }
    }

    #[test]
    fn a_host_is_one_name_with_a_port_or_none() {
        let cases = [
            ("gw.example", true),
            ("gw.example:", true),
            ("gw.example:65535", true),
            ("127.0.0.1:80", true),
            ("[::1]", true),
            ("[::1]:80", true),
            ("[::1]x", false),
            ("[::1]x:80", false),
            ("[::1]80", false),
            ("x[::1]", false),
            ("[::1", false),
            ("[]", false),
            ("[x]", false),
            ("[::1]:x", false),
            ("gw.example:65536", false),
            ("gw.example:+80", false),
            ("gw.example:80:80", false),
            ("bob@gw.example", false),
            (":80", false),
            ("", false),
        ];
        for (host, expected) in cases {
            let host_header = headers(host);
            let found = host_of(&Uri::from_static("/ws"), &host_header);
            assert_eq!(found.is_some(), expected, "{host:?}");
        }
    }

    #[test]
    fn the_authority_of_the_target_replaces_the_host() {
        let ours = ["bots.example".parse().unwrap()];
        let cases = [
            ("http://evil.example/ws", "bots.example", Some(false)),
            ("http://bots.example/ws", "evil.example", Some(true)),
            ("http://bots.example:80/ws", "bots.example", Some(true)),
            ("http://evil.example/ws", "127.0.0.1", Some(false)),
            ("/ws", "evil.example", Some(false)),
            ("/ws", "bots.example", Some(true)),
            ("http://[::1]x/ws", "bots.example", None),
            ("http://bob@bots.example/ws", "bots.example", None),
            ("http://bots.example/ws", "[::1]x", None),
            ("http://bots.example/ws", "", None),
        ];
        for (target, host, expected) in cases {
            let Ok(uri) = target.parse() else {
                assert_eq!(expected, None, "{target}");
                continue;
            };
            let judged = host_of(&uri, &headers(host)).map(|host| host_is_ours(&host, Some(&ours)));
            assert_eq!(judged, expected, "{target} {host}");
        }
        let target = Uri::from_static("http://bots.example/ws");
        let none = HeaderMap::new();
        assert_eq!(host_of(&target, &none), None, "HTTP/1.1 has a Host");
    }
}
