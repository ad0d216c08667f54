//! The addresses that the kernel is asked about a socket by.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

/// Both addresses of a TCP socket: what the kernel is asked about it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketEnds {
    pub(crate) is_v6: bool,
    /// Address and port; of IPv4 the first four bytes.
    pub(crate) ours: ([u8; 16], u16),
    pub(crate) theirs: ([u8; 16], u16),
}

impl SocketEnds {
    /// The ends of a socket with these addresses.
    pub fn new(ours: SocketAddr, theirs: SocketAddr) -> Self {
        Self {
            is_v6: ours.is_ipv6(),
            ours: (address(ours.ip()), ours.port()),
            theirs: (address(theirs.ip()), theirs.port()),
        }
    }

    pub(super) fn of(stream: &TcpStream) -> Option<Self> {
        Some(Self::new(
            stream.local_addr().ok()?,
            stream.peer_addr().ok()?,
        ))
    }
}

fn address(ip: IpAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match ip {
        IpAddr::V4(ip) => bytes[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes = ip.octets(),
    }
    bytes
}
