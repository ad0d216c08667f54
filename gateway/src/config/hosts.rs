//! Which values of `Host` and `Origin` are ours, as operators write them: parsed once, matched at
//! every handshake.
//!
//! | `allowed_hosts` | answers |
//! | --- | --- |
//! | `bots.example` | this name with any port |
//! | `bots.example:8443` | this name with this port; 80 and 443 also without a port |
//! | `*.bots.example` | every name below it, not the name itself |
//! | `*` | every name |
//!
//! | `allowed_origins` | lets in |
//! | --- | --- |
//! | `https://app.example`, `https://app.example:443` | this origin; the default port may be left out on both sides |
//! | `https://*.app.example` | every host below it |
//! | `moz-extension://*`, `capacitor://localhost` | other schemes: every host, or this text |
//! | `null` | pages without an origin: files, sandboxed frames |
//! | `*` | every origin |
//!
//! Names are compared without regard to case and to a final dot. International names match their
//! ASCII form (`bücher.example`, `xn--bcher-kva.example`), which is what browsers send.

use std::num::NonZeroU16;
use std::str::FromStr;

use http::uri::Authority;

const HOST_RULE: &str =
    "expected a host, like bots.example, *.bots.example or bots.example:8443, or *";
const ORIGIN_RULE: &str = "expected an origin, like https://app.example.org, https://*.example.org or \
                           http://localhost:8080, without a path; or null; or *";

/// An entry of `allowed_hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    name: NamePattern,
    port: Option<u16>,
}

impl HostPattern {
    /// Whether the peer called us so.
    pub fn matches(&self, host: &Authority) -> bool {
        let has_port = match (self.port, host.port_u16()) {
            (None, _) => true,
            (Some(expected), Some(port)) => expected == port,
            // The port that is left out is the default of a scheme which this side may not know.
            (Some(expected), None) => matches!(expected, 80 | 443),
        };
        has_port && self.name.matches(host.host())
    }
}

impl FromStr for HostPattern {
    type Err = String;

    /// Errors: the rule.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || HOST_RULE.to_owned();
        let (name, port) = split_port(text).ok_or_else(wrong)?;
        let name = NamePattern::of_domain(name).ok_or_else(wrong)?;
        Ok(Self { name, port })
    }
}

/// An entry of `allowed_origins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern(Origins);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origins {
    Any,
    /// The origin `null`.
    Opaque,
    /// Of the scheme, lower case. `port`: none for schemes that have no default.
    Site {
        scheme: String,
        name: NamePattern,
        port: Option<u16>,
    },
}

impl OriginPattern {
    /// Whether a page of this origin is let in. `origin`: the header, as browsers write it.
    pub fn matches(&self, origin: &str) -> bool {
        match &self.0 {
            Origins::Any => true,
            Origins::Opaque => origin == "null",
            Origins::Site { scheme, name, port } => {
                let Some((given, rest)) = origin.split_once("://") else {
                    return false;
                };
                scheme.eq_ignore_ascii_case(given)
                    && match default_port(scheme) {
                        Some(default) => site_of(rest, default).is_some_and(|(host, given)| {
                            *port == Some(given) && name.matches(host)
                        }),
                        None => name.matches(rest),
                    }
            }
        }
    }
}

impl FromStr for OriginPattern {
    type Err = String;

    /// Errors: the rule.
    fn from_str(text: &str) -> Result<Self, String> {
        let origins = match text {
            "*" => Some(Origins::Any),
            text if text.eq_ignore_ascii_case("null") => Some(Origins::Opaque),
            text => site_pattern(text),
        };
        origins.map(Self).ok_or_else(|| ORIGIN_RULE.to_owned())
    }
}

fn site_pattern(text: &str) -> Option<Origins> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    // A page has http or https; these are of what it connects to.
    if !is_scheme || matches!(scheme.as_str(), "ws" | "wss") {
        return None;
    }
    let (name, port) = match default_port(&scheme) {
        Some(default) => {
            let (name, port) = split_port(rest)?;
            let port = port.unwrap_or(default);
            (NamePattern::of_domain(name)?, Some(port))
        }
        None => (NamePattern::of_text(rest)?, None),
    };
    Some(Origins::Site { scheme, name, port })
}

/// Host and port of what stands behind the scheme of an origin.
fn site_of(rest: &str, default: u16) -> Option<(&str, u16)> {
    let (host, port) = split_port(rest)?;
    let is_plain = !host.contains(['/', '@', '?', '#', '\\']);
    is_plain.then(|| (host, port.unwrap_or(default)))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A name and the port behind it. `None`: the port is not one.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    // Behind the bracket of an IPv6 address, or a colon of its own.
    let end = text.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = text[end..].find(':') else {
        return Some((text, None));
    };
    let (name, port) = text.split_at(end + colon);
    let port: NonZeroU16 = port[1..].parse().ok()?;
    Some((name, Some(port.get())))
}

/// Which host names are meant. Texts are lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NamePattern {
    Any,
    /// Names that end with this, which begins with a dot.
    Below(String),
    Exact(String),
}

impl NamePattern {
    /// A host name, an address, `*.` before a name, or `*`.
    fn of_domain(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let (is_wildcard, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let name = without_dot(name);
        if name.is_empty() || name.contains('*') {
            return None;
        }
        let host = url::Host::parse(name).ok()?;
        match (is_wildcard, &host) {
            (false, _) => Some(Self::Exact(host.to_string())),
            (true, url::Host::Domain(name)) => Some(Self::Below(format!(".{name}"))),
            (true, url::Host::Ipv4(_) | url::Host::Ipv6(_)) => None,
        }
    }

    /// What stands behind a scheme whose hosts are no domain names, or `*`.
    fn of_text(text: &str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_graphic() && !"/?#@\\*".contains(c);
        match text {
            "" => None,
            "*" => Some(Self::Any),
            text => {
                let is_plain = text.chars().all(is_plain);
                is_plain.then(|| Self::Exact(text.to_ascii_lowercase()))
            }
        }
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => {
                host.eq_ignore_ascii_case(name) || without_dot(host).eq_ignore_ascii_case(name)
            }
            Self::Below(suffix) => {
                let host = without_dot(host).as_bytes();
                host.len() > suffix.len()
                    && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
            }
        }
    }
}

fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn host(pattern: &str, ours: &[&str], others: &[&str]) {
        let pattern: HostPattern = pattern.parse().unwrap();
        let matches = |host: &&str| pattern.matches(&host.parse().unwrap());
        assert!(ours.iter().all(matches), "{pattern:?} {ours:?}");
        assert!(!others.iter().any(matches), "{pattern:?} {others:?}");
    }

    #[track_caller]
    fn origin(pattern: &str, ours: &[&str], others: &[&str]) {
        let pattern: OriginPattern = pattern.parse().unwrap();
        let matches = |origin: &&str| pattern.matches(origin);
        assert!(ours.iter().all(matches), "{pattern:?} {ours:?}");
        assert!(!others.iter().any(matches), "{pattern:?} {others:?}");
    }

    #[test]
    fn hosts() {
        host(
            "a.example",
            &["a.example", "A.Example:1", "a.example."],
            &["b.example"],
        );
        host(
            "[2001:db8::1]:80",
            &["[2001:db8::1]", "[2001:db8::1]:80"],
            &["[2001:db8::1]:81"],
        );
        host(
            "*.a.example:80",
            &["b.a.example"],
            &["b.a.example:81", "a.example"],
        );
        host(
            "xn--bcher-kva.example",
            &["XN--bcher-kva.example"],
            &["bcher.example"],
        );
        host("*:443", &["any.example"], &["any.example:444"]);
    }

    #[test]
    fn origins() {
        let default = ["https://a.example", "https://a.example:443"];
        for pattern in default {
            origin(
                pattern,
                &default,
                &["https://a.example:80", "http://a.example"],
            );
        }
        let below = ["http://b.a.example", "http://c.b.a.example:80"];
        let others = [
            "http://a.example",
            "http://.a.example/b.a.example",
            "http://x@b.a.example:1",
        ];
        origin("http://*.a.example", &below, &others);
        origin(
            "http://[::1]:3000",
            &["http://[::1]:3000"],
            &["http://[::1]"],
        );
        for pattern in ["null", "NULL", "Null"] {
            origin(pattern, &["null"], &["", "https://null"]);
        }
        origin("*", &["null", "app://."], &[]);
        origin("app://.", &["app://."], &["app://", "app://a"]);
        let extension = ["chrome-extension://abc", "Chrome-Extension://def"];
        origin("chrome-extension://*", &extension, &["moz-extension://abc"]);
    }
}
