//! The gateways under load, and the local addresses to connect from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, ensure};

/// Sockets from one source address to one gateway: below the 28,232 ports that Linux gives out.
const PORTS_OF_A_SOURCE: usize = 25_000;

/// One gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetNode {
    /// `host:port`, as it is sent in `Host`.
    pub host: String,
    /// Where it is.
    pub address: SocketAddr,
    /// Path of the upgrade.
    pub path: String,
}

impl TargetNode {
    /// Reads `ws://host[:port][/path]` and looks the host up.
    ///
    /// Errors: another scheme, `wss` among them; a host that is not found.
    pub fn parse(url: &str) -> Result<Self> {
        ensure!(
            !url.starts_with("wss://"),
            "{url}: TLS is not spoken here; load the gateway behind its proxy, with ws://"
        );
        let rest = url.strip_prefix("ws://");
        let rest = rest.with_context(|| format!("{url}: expected ws://HOST:PORT/ws"))?;
        let (host, path) = split(rest);
        ensure!(
            !host.is_empty() && !host.contains('@') && !path.contains(['?', '#', ' ']),
            "{url}: expected ws://HOST:PORT/ws"
        );
        let address = look_up(host).with_context(|| url.to_owned())?;
        let path = if path.len() > 1 { path } else { "/ws" };
        Ok(Self {
            host: host.to_owned(),
            address,
            path: path.to_owned(),
        })
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        self.address.ip().is_loopback()
    }
}

/// What stands before the path of a URL, and the path.
pub(crate) fn split(rest: &str) -> (&str, &str) {
    match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    }
}

/// The first address of `host[:port]`; the port is 80 if none is given.
pub(crate) fn look_up(host: &str) -> Result<SocketAddr> {
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'));
    let mut found = match has_port {
        true => host.to_socket_addrs()?,
        false => format!("{host}:80").to_socket_addrs()?,
    };
    found.next().context("no address")
}

/// The addresses to connect from; empty = the system's choice.
///
/// On loopback there are as many as the ports of one do not suffice for: 127.0.0.2 and on.
pub fn sources(given: &[IpAddr], nodes: &[TargetNode], sockets: usize) -> Vec<IpAddr> {
    let on_loopback = nodes
        .iter()
        .all(|node| node.address.is_ipv4() && node.is_local());
    let needed = sockets.div_ceil(PORTS_OF_A_SOURCE * nodes.len().max(1));
    if !given.is_empty() || !on_loopback || needed < 2 {
        return given.to_vec();
    }
    let last_parts = (2..=254).take(needed);
    last_parts
        .map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let node = TargetNode::parse("ws://127.0.0.1:3000").unwrap();
        assert_eq!(
            (node.path.as_str(), node.host.as_str()),
            ("/ws", "127.0.0.1:3000")
        );
        assert_eq!(node.address, "127.0.0.1:3000".parse().unwrap());
        let node = TargetNode::parse("ws://[::1]:4/x/ws").unwrap();
        assert_eq!((node.path.as_str(), node.is_local()), ("/x/ws", true));
        assert_eq!(
            TargetNode::parse("ws://127.0.0.1/").unwrap().address.port(),
            80
        );
        for bad in [
            "127.0.0.1:3000",
            "wss://127.0.0.1:1/ws",
            "ws://",
            "ws://127.0.0.1:x",
            "ws://127.0.0.1:1/ws?token=x",
        ] {
            assert!(TargetNode::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn more_sources_when_ports_would_run_out() {
        let node = TargetNode::parse("ws://127.0.0.1:3000").unwrap();
        let nodes = [node];
        assert_eq!(sources(&[], &nodes, 25_000), Vec::<IpAddr>::new());
        let two: Vec<IpAddr> = vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
        assert_eq!(sources(&[], &nodes, 25_001), two);
        let given: Vec<IpAddr> = vec!["127.0.0.9".parse().unwrap()];
        assert_eq!(sources(&given, &nodes, 25_001), given);
    }
}
