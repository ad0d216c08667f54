//! How a connection enters the node.

use std::sync::Arc;

use router_core::Session;
use router_core::auth::Source;
use router_core::session::OpenedConnection;

use super::core::Node;
use super::entry::ConnectionEntry;
use super::handler::SessionHandler;
use super::member::NodeMember;
use crate::dialect::Dialect;
use crate::gate::OpenGuard;
use crate::ws::{Connection, ReadLimits, WriteLimits};

/// Bytes that may wait for a socket without a tenant: its greeting and its refusals.
const OUTBOUND_UNAUTHENTICATED: usize = 64 * 1024;

impl Node {
    /// Makes a connection of an upgraded socket, and what to drive it with.
    pub(crate) fn connect(
        self: &Arc<Self>,
        dialect: Dialect,
        socket: impl FnOnce(WriteLimits) -> Arc<Connection>,
        (source, open): (Source, OpenGuard),
        opened: OpenedConnection,
    ) -> SessionHandler {
        SessionHandler::new(self.enter(dialect, socket, source, open), opened)
    }

    /// Gives a connection its place in the node.
    pub(super) fn enter(
        self: &Arc<Self>,
        dialect: Dialect,
        socket: impl FnOnce(WriteLimits) -> Arc<Connection>,
        source: Source,
        open: OpenGuard,
    ) -> NodeMember {
        let snapshot = self.snapshot();
        let env = self.env(&snapshot);
        let key = self.connections.new_key();
        let limits = WriteLimits {
            bytes: OUTBOUND_UNAUTHENTICATED,
            frames: env.settings.limits.outbound_frames,
            budget: self.pools.strangers_outbound.clone(),
        };
        let session = Session::new(key, &env);
        let entry = Arc::new(ConnectionEntry::new(
            key,
            session,
            (source, open),
            (dialect, socket(limits)),
        ));
        entry.socket.watch_kernel();
        NodeMember::new(Arc::clone(self), entry)
    }

    /// The limits of a socket before it has a tenant.
    pub(crate) fn read_limits_unauthenticated(&self) -> ReadLimits {
        ReadLimits {
            message_bytes: protocol::limits::FRAME_BYTES_UNAUTHENTICATED,
            assembly: self.pools.strangers_assembly.clone(),
        }
    }
}
