//! Where a connection comes from, for counting failures and handshakes by.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use http::HeaderMap;
use smol_str::{SmolStr, ToSmolStr};

/// A block of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    bits: u8,
}

/// Not an address, nor a block of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an IP address or a block such as 10.0.0.0/8")]
pub struct InvalidCidr;

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| InvalidCidr)?)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| InvalidCidr)?;
        let bits_max = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(bits_max);
        if bits > bits_max { Err(InvalidCidr) } else { Ok(Self { network, bits }) }
    }
}

impl Cidr {
    /// Whether an address lies in the block.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.bits);
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.bits);
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    trusted: Vec<Cidr>,
}

impl Sources {
    /// Believes these and nobody else.
    pub fn new(trusted: Vec<Cidr>) -> Self {
        Self { trusted }
    }

    /// The source of a request: the peer, or what a trusted peer says is behind it. IPv6 sources
    /// are counted by their /64, which is what one customer gets.
    pub fn source_of(&self, peer: IpAddr, headers: &HeaderMap) -> SmolStr {
        counted_as(self.address_of(peer, headers))
    }

    fn address_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let hops = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = hops.flat_map(|value| value.split(',')).map(str::trim).collect();
        for hop in hops.iter().rev() {
            match hop.parse::<IpAddr>() {
                Ok(address) if self.trusts(address) => {}
                Ok(address) => return address,
                // What stands left of a thing that is no address was not written by a proxy of ours.
                Err(_) => return peer,
            }
        }
        peer
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|block| block.contains(address))
    }
}

/// How an address is counted.
pub(crate) fn counted_as(address: IpAddr) -> SmolStr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_smolstr(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_smolstr()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let sources = Sources::new(trusted.iter().map(|block| block.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        sources.source_of(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(source(&[], "10.1.1.1", &["1.2.3.4"]), "10.1.1.1");
        assert_eq!(source(&proxies, "9.9.9.9", &["1.2.3.4"]), "9.9.9.9");
        assert_eq!(source(&proxies, "10.1.1.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(source(&proxies, "::ffff:10.1.1.1", &["1.2.3.4"]), "1.2.3.4");
        // The client wrote the left one itself.
        assert_eq!(source(&proxies, "10.1.1.1", &["6.6.6.6, 1.2.3.4", "10.2.2.2"]), "1.2.3.4");
        assert_eq!(source(&proxies, "10.1.1.1", &["1.2.3.4, nonsense"]), "10.1.1.1");
        assert_eq!(source(&proxies, "10.1.1.1", &[]), "10.1.1.1");
    }

    #[test]
    fn an_ipv6_source_is_its_64() {
        assert_eq!(source(&[], "2001:db8:1:2:3:4:5:6", &[]), "2001:db8:1:2::");
    }

    #[test]
    fn blocks_are_checked() {
        for bad in ["", "10.0.0.0/33", "10.0.0.0/x", "host", "::/129"] {
            assert_eq!(bad.parse::<Cidr>(), Err(InvalidCidr), "{bad}");
        }
        let everything: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(everything.contains("1.2.3.4".parse().unwrap()));
        assert!(!everything.contains("::1".parse().unwrap()));
    }
}
