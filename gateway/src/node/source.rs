//! Where a connection comes from, for counting failures and handshakes by.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use router_core::auth::Source;

use crate::config::Cidr;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose `X-Forwarded-For` is trusted.
#[derive(Debug, Default)]
pub(crate) struct SourceResolver {
    trusted: Vec<Cidr>,
    /// Whether the log has told of a proxy that is not one of them.
    warned: AtomicBool,
}

impl SourceResolver {
    /// Trusts these proxies only.
    pub fn new(trusted: Vec<Cidr>) -> Self {
        Self {
            trusted,
            warned: AtomicBool::new(false),
        }
    }

    /// The source of a request: the peer, or what a trusted peer says is behind it.
    pub(crate) fn source_of(&self, peer: IpAddr, headers: &HeaderMap) -> Source {
        Source::of(self.address_of(peer, headers))
    }

    fn address_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            if headers.contains_key(FORWARDED_FOR) {
                self.warn_of(peer);
            }
            return peer;
        }
        let hops = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = hops
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        for hop in hops.iter().rev() {
            match address_in(hop) {
                Some(address) if self.trusts(address) => {}
                Some(address) => return address,
                // What stands left of a thing that is no address was not written by a proxy of ours.
                None => return peer,
            }
        }
        peer
    }

    /// Once: everybody behind a proxy that is not listed counts as one source, and a client may send
    /// the header without any proxy.
    fn warn_of(&self, peer: IpAddr) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "X-Forwarded-For is ignored, as this peer is not in trusted_proxies; if it is a proxy of yours, \
                 add it, or all its clients count as one source"
            );
        }
    }

    /// Whether an address is one of the proxies.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|block| block.contains(address))
    }
}

/// The address of one entry: `1.2.3.4`, `1.2.3.4:5555`, `2001:db8::1`, `[2001:db8::1]` or
/// `[2001:db8::1]:5555`.
fn address_in(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    if let Some(bare) = bare {
        return bare.parse().ok().map(IpAddr::V6);
    }
    let with_port = |hop: &str| hop.parse::<SocketAddr>().map(|address| address.ip());
    hop.parse().or_else(|_| with_port(hop)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let sources =
            SourceResolver::new(trusted.iter().map(|block| block.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        sources
            .source_of(peer.parse().unwrap(), &headers)
            .to_string()
    }

    #[test]
    fn only_a_trusted_proxy_names_the_source() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(source(&[], "10.1.1.1", &["1.2.3.4"]), "10.1.1.1");
        assert_eq!(source(&proxies, "9.9.9.9", &["1.2.3.4"]), "9.9.9.9");
        assert_eq!(source(&proxies, "10.1.1.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(source(&proxies, "::ffff:10.1.1.1", &["1.2.3.4"]), "1.2.3.4");
        // The client wrote the left one itself.
        assert_eq!(
            source(&proxies, "10.1.1.1", &["6.6.6.6, 1.2.3.4", "10.2.2.2"]),
            "1.2.3.4"
        );
        assert_eq!(
            source(&proxies, "10.1.1.1", &["1.2.3.4, nonsense"]),
            "10.1.1.1"
        );
        assert_eq!(source(&proxies, "10.1.1.1", &[]), "10.1.1.1");
    }

    #[test]
    fn an_entry_may_have_brackets_and_a_port() {
        for (entry, expected) in [
            ("1.2.3.4:5555", "1.2.3.4"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
            ("[2001:db8:1:2:3::4]", "2001:db8:1:2::"),
            ("[2001:db8:1:2:3::4]:5555", "2001:db8:1:2::"),
            ("6.6.6.6:1, 1.2.3.4:2, 10.2.2.2:3", "1.2.3.4"),
            // No entry of a proxy: everything left of it is the client's own.
            ("1.2.3.4:", "10.1.1.1"),
            ("1.2.3.4:65536", "10.1.1.1"),
            ("[1.2.3.4]", "10.1.1.1"),
            ("[2001:db8::1", "10.1.1.1"),
            ("unknown", "10.1.1.1"),
            ("_hidden", "10.1.1.1"),
            ("6.6.6.6, ", "10.1.1.1"),
        ] {
            assert_eq!(
                source(&["10.0.0.0/8"], "10.1.1.1", &[entry]),
                expected,
                "{entry}"
            );
        }
    }

    #[test]
    fn an_ipv6_source_is_its_64() {
        assert_eq!(source(&[], "2001:db8:1:2:3:4:5:6", &[]), "2001:db8:1:2::");
    }
}
