//! The connection that a request came over.

use std::net::SocketAddr;

use router_core::auth::Source;

use crate::gate::OpenGuard;

/// The connection of a request. Each endpoint puts it into the request's extensions.
#[derive(Debug, Clone)]
pub(super) struct PeerSocket {
    /// The other end of the connection: a proxy's, if there is one.
    pub(super) address: SocketAddr,
    /// The source that limits and logs count: behind a trusted proxy, the address that the proxy names.
    pub(super) source: Source,
    /// Its place at the gate of its listener.
    pub(super) open: OpenGuard,
}
